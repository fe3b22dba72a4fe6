"""``clawstream rollout``: one vLLM node that follows the weights, until SIGTERM."""

import logging
import os

from clawstream.rollout.arguments import arguments, environment
from clawstream.rollout.engine import Engine, EngineError
from clawstream.rollout.node import Node
from clawstream.rollout.settings import RolloutSettings
from clawstream.streams.admin import wait_for_kafka
from clawstream.streams.consumer import Follower
from clawstream.streams.metrics import serve_metrics
from clawstream.streams.ports import free_port
from clawstream.streams.producer import Producer
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.shutdown import stop_event
from clawstream.topics import WEIGHTS

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.1


def run(settings: RolloutSettings, kafka: KafkaSettings) -> int:
    """Serve until told to stop. Raises ``EngineError`` when vLLM cannot start or must not go on."""
    stop = stop_event()
    if not (settings.model / "config.json").exists():
        raise EngineError(f"rollout.model {settings.model} is no Hugging Face model folder: it has no config.json")
    port = free_port(settings.port or None)
    command = arguments(settings, port)
    wait_for_kafka(kafka)
    serve_metrics(settings.metrics_port)
    weights, producer = Follower(kafka, WEIGHTS), Producer(kafka, f"rollout-{settings.name}")
    engine = Engine(command, environment(settings, os.environ), f"http://{settings.host}:{port}")
    try:
        _log.info("starting vLLM for %s on port %d", settings.model, port)
        if engine.wait_ready(settings.start_seconds, stop.is_set):
            node = Node(settings, engine, weights, producer)
            node.start()
            _log.info("ready: version %d at %s", node.version, engine.url)
            while not stop.is_set():
                node.step(_POLL_SECONDS)
            node.close()
    finally:
        engine.stop()
        weights.close()
        producer.close()
    return 0
