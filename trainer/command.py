"""``clawstream train``: one trainer process, or one rank of it under a launcher."""

import logging
import threading
from contextlib import closing

from clawstream.schemas import WeightVersion
from clawstream.streams.cluster.admin import wait_for_kafka
from clawstream.streams.errors import StreamError
from clawstream.streams.process.ending import FOR_GOOD
from clawstream.streams.process.metrics import serve_metrics
from clawstream.streams.process.shutdown import stop_event
from clawstream.streams.reading.consumer import Follower, GroupConsumer
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.windows.seen import SeenSamples
from clawstream.streams.windows.usable import unusable
from clawstream.streams.windows.window import WindowAssembler
from clawstream.streams.writing.dead import DeadLetters
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES, SAMPLES, WEIGHTS
from clawstream.trainer import loop
from clawstream.trainer.algorithms.recipe import described
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.models.engine import start_ranks
from clawstream.trainer.models.ranks import rank, wait_for_all
from clawstream.trainer.serving import Serving
from clawstream.trainer.session import Session, begin
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.transfer.sender import Sender
from clawstream.trainer.versions.announced import Announced, require_apart, require_in_service
from clawstream.trainer.versions.checkpoint import Checkpoints
from clawstream.trainer.versions.publish import require_lineage

_log = logging.getLogger(__name__)


def run(settings: TrainerSettings, kafka: KafkaSettings) -> int:
    """Train until SIGTERM or SIGINT. When the trainer cannot go on, one line says why, and the exit code is
    ``FOR_GOOD`` where starting it again would only end so again, else 1."""
    stop = stop_event()
    checkpoints = Checkpoints(settings.output_dir, settings.keep_snapshots)
    try:
        start_ranks()
        if rank() == 0:
            _lead(settings, kafka, checkpoints, stop)
        else:
            wait_for_all()  # rank 0 has made or found a checkpoint
            Session(settings, checkpoints, kafka.topic_prefix).follow()
    except TrainerError as error:
        _log.error("%s", error)
        return 1 if error.retriable else FOR_GOOD
    except StreamError as error:
        _log.error("%s", error)
        return 1
    return 0


def _lead(settings: TrainerSettings, kafka: KafkaSettings, checkpoints: Checkpoints, stop: threading.Event) -> None:
    with checkpoints.owned():
        if not wait_for_kafka(kafka, stopped=stop.is_set):
            return
        with closing(Follower(kafka, WEIGHTS)) as weights:
            announced = _announced(settings, weights, checkpoints)
            begin(settings, checkpoints, kafka.topic_prefix)
            wait_for_all()
            session = Session(settings, checkpoints, kafka.topic_prefix)
            _log.info("version %d of %s is loaded; %s", session.state.version, settings.model_name, described(settings))
            if settings.correction == "none" and settings.max_policy_lag:
                _log.warning("samples up to %d versions old train without correction", settings.max_policy_lag)
            serve_metrics(settings.metrics_port)
            _train(settings, kafka, session, weights, announced, stop)
            session.finish()


def _announced(settings: TrainerSettings, weights: Follower[WeightVersion], checkpoints: Checkpoints) -> Announced:
    """What was announced. Raises ``TrainerError`` where this trainer must not go on from it."""
    announced = Announced()
    for received in weights.to_end():
        announced.note(received.record)
    require_in_service(announced, settings.model_name)
    require_apart(announced, settings)
    last = announced.last(settings.model_name)
    require_lineage(last.version if last else None, checkpoints.newest(), settings.model_name, str(settings.output_dir))
    return announced


def _train(
    settings: TrainerSettings,
    kafka: KafkaSettings,
    session: Session,
    weights: Follower[WeightVersion],
    announced: Announced,
    stop: threading.Event,
) -> None:
    state, sender = session.state, _sender(settings, session)
    assembler = WindowAssembler(
        settings.limits,
        lambda sample, version: unusable(sample, session.limits, version),
        SeenSamples(settings.seen_samples, state.seen),
        state.next_offsets,
    )
    producer = Producer(kafka, "trainer")
    dead = DeadLetters(kafka, producer, "trainer")
    consumer = GroupConsumer(
        kafka, SAMPLES, settings.group, dead, on_assign=assembler.positions, instance=settings.model_name
    )
    nodes = Follower(kafka, NODES)
    serving = Serving(settings.model_name, settings.node_deadline_seconds)
    try:
        streams = loop.Streams(
            samples=consumer, nodes=nodes, weights=weights, announced=announced, producer=producer, sender=sender
        )
        loop.train(session, assembler, streams, serving, settings, stop)
    finally:
        if sender is not None:
            sender.close()
        consumer.close()
        nodes.close()
        producer.close()


def _sender(settings: TrainerSettings, session: Session) -> Sender | None:
    if not settings.transfer:
        return None
    return Sender(
        session.state.weights,
        settings.transfer,
        settings.transfer_host,
        settings.transfer_port,
        settings.transfer_seconds,
        session.device,
    )
