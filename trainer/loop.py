"""The trainer's main loop.

Invariant: what is trained is trained once, and nothing is lost. A checkpoint holds weights together with the offsets
and the ids of the samples that made them; every start reads on at exactly these offsets::

    consume -> window -> update -> checkpoint -> announce -> commit
                              ^            ^
             killed here: the window       killed here: the restart announces
             is read and trained again     the checkpoint's version again

A window that is due waits while live nodes are as far behind as samples may be: another version would only make what
they are sampling too old to train. The gateway paces before that, and discarding comes last.

The loop ends when its model is retired, or when another's adapter begins to sample what it would train.
"""

import logging
import threading
import time
from dataclasses import dataclass

from clawstream.schemas import NodeStatus, Sample, UpdateReport, WeightVersion, now
from clawstream.streams.reading.consumer import Follower, GroupConsumer
from clawstream.streams.windows.window import WindowAssembler
from clawstream.streams.writing.producer import Producer
from clawstream.trainer.errors import RetiredError
from clawstream.trainer.metrics import CONSUMER_LAG, FENCED_NODES, PUBLISH_LAG, WAIT_SECONDS, note_update
from clawstream.trainer.reports import DiscardNotices, Lags, describe
from clawstream.trainer.serving import Serving
from clawstream.trainer.session import Session
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.transfer.sender import Sender
from clawstream.trainer.versions.announced import Announced, require_apart, require_in_service
from clawstream.trainer.versions.publish import announce, announce_retired
from clawstream.trainer.versions.state import TrainerState

_POLL_SECONDS = 0.2
_MAX_POLL_RECORDS = 500

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Streams:
    """What the loop reads and writes."""

    samples: GroupConsumer[Sample]
    nodes: Follower[NodeStatus]
    weights: Follower[WeightVersion]
    announced: Announced  # what was read of weights so far
    producer: Producer
    sender: Sender | None = None  # of weights, where nodes may take them from memory


def train(
    session: Session,
    assembler: WindowAssembler,
    streams: Streams,
    serving: Serving,
    settings: TrainerSettings,
    stop: threading.Event,
) -> None:
    """Train window after window until ``stop`` is set; the next start reads again what is in an open window then.

    Raises ``TrainerError`` when it must not go on.
    """
    max_publish_lag = max(1, settings.max_policy_lag)
    _announce(streams, serving, session.state)
    notices, is_pruned = DiscardNotices(), True
    while not stop.is_set():
        version = session.state.version
        _heed_others(streams, session, settings)
        for received in streams.samples.consume(min(assembler.room, _MAX_POLL_RECORDS), _POLL_SECONDS):
            assembler.add(received, version, time.monotonic())
        if (notice := notices.due(assembler.discarded, time.monotonic())) is not None:
            _log.warning("%s", notice)
        lags = _lags(streams, serving)
        is_pruned = is_pruned or _prune(session, streams, serving)
        if not assembler.due(time.monotonic()):
            streams.samples.commit(assembler.passed())  # else others' samples would seem to wait for this trainer
            session.idle()
            continue
        if (lags.publish_versions or 0) >= max_publish_lag:
            session.idle()
            time.sleep(_POLL_SECONDS)
            WAIT_SECONDS.inc(_POLL_SECONDS)
            continue
        window = assembler.close()
        state = session.advance(window, assembler.seen.pack(), lags)
        trained_at = time.monotonic()
        _heed_others(streams, session, settings)
        _announce(streams, serving, state)
        is_pruned = _prune(session, streams, serving)
        streams.samples.commit(state.next_offsets)  # for those who watch the lag; the checkpoint's are what counts
        if state.report is not None:
            _tell(state.report, time.monotonic() - trained_at)


def _announce(streams: Streams, serving: Serving, state: TrainerState) -> None:
    transfer = streams.sender.hold(state.weights) if streams.sender else None
    announce(streams.producer, state, transfer)
    serving.announce(state.version, time.monotonic())


def _heed_others(streams: Streams, session: Session, settings: TrainerSettings) -> None:
    """Raise ``TrainerError`` when ``weights`` says by now that this trainer must not go on."""
    for received in streams.weights.poll(0.0):
        streams.announced.note(received.record)
    try:
        require_in_service(streams.announced, settings.model_name)
    except RetiredError:
        announce_retired(streams.producer, session.state.weights)  # else a version that crossed it would serve on
        raise
    require_apart(streams.announced, settings)


def _lags(streams: Streams, serving: Serving) -> Lags:
    """How far others are behind."""
    at_seconds = _hear_nodes(streams, serving)
    lags = Lags(consumer_records=streams.samples.lag(), publish_versions=serving.publish_lag(at_seconds))
    CONSUMER_LAG.set(lags.consumer_records)
    PUBLISH_LAG.set(lags.publish_versions or 0)
    FENCED_NODES.set(serving.fenced(at_seconds))
    return lags


def _hear_nodes(streams: Streams, serving: Serving) -> float:
    """Take in what nodes say: heard now, said some time ago. The time now."""
    at_seconds = time.monotonic()
    for received in streams.nodes.poll(0.0):
        age_seconds = max(0.0, (now() - received.record.at).total_seconds())
        serving.note(received.record, at_seconds - age_seconds)
    return at_seconds


def _prune(session: Session, streams: Streams, serving: Serving) -> bool:
    """Remove old versions; False while it is not known yet which of them nodes serve."""
    at_seconds = _hear_nodes(streams, serving)
    if streams.nodes.caught_up:
        session.prune(serving.needed(at_seconds))
    return streams.nodes.caught_up


def _tell(report: UpdateReport, publish_seconds: float) -> None:
    note_update(report, publish_seconds)
    _log.info("%s", describe(report))
