"""``clawstream rollout``: one vLLM node that follows the weights, until SIGTERM."""

import contextlib
import logging
import os
import socket

from clawstream.rollout.arguments import arguments, environment
from clawstream.rollout.engine import Engine, EngineError
from clawstream.rollout.node import Node
from clawstream.rollout.settings import RolloutSettings
from clawstream.streams.cluster.admin import wait_for_kafka
from clawstream.streams.files.temporary import temporary_folder
from clawstream.streams.process.metrics import serve_metrics
from clawstream.streams.process.ports import free_port, require_free
from clawstream.streams.process.shutdown import stop_event
from clawstream.streams.reading.consumer import Follower
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES, WEIGHTS

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.1


def run(settings: RolloutSettings, kafka: KafkaSettings) -> int:
    """Serve until told to stop. Raises ``EngineError`` when vLLM cannot start or must not go on."""
    stop = stop_event()
    if not (settings.model / "config.json").exists():
        raise EngineError(f"rollout.model {settings.model} is no Hugging Face model folder: it has no config.json")
    port = _port(settings)
    name = settings.name or f"{socket.gethostname()}-{port}"
    command = arguments(settings, port)
    if not wait_for_kafka(kafka, stopped=stop.is_set):
        return 0
    serve_metrics(settings.metrics_port)
    with contextlib.ExitStack() as closing:
        producer = Producer(kafka, f"rollout-{name}")
        closing.callback(producer.close)
        weights = Follower(kafka, WEIGHTS)
        closing.callback(weights.close)
        nodes = Follower(kafka, NODES)
        closing.callback(nodes.close)
        sockets = closing.enter_context(temporary_folder("vllm"))
        kept = closing.enter_context(temporary_folder("adapters"))
        inherited = {**os.environ, "VLLM_RPC_BASE_PATH": str(sockets)}
        engine = Engine(command, environment(settings, inherited), f"http://{settings.host}:{port}")
        closing.callback(engine.stop, settings.drain_seconds)
        _log.info("node %s: starting vLLM for %s on port %d", name, settings.model, port)
        node = Node(name, settings, engine, weights, nodes, producer, kept)
        closing.callback(node.close)  # before vLLM is stopped, so that no new call comes to it
        if node.wait_ready(stop.is_set):
            node.start()
            _log.info("node %s: ready, version %d at %s", name, node.version, engine.url)
            while not stop.is_set():
                node.step(_POLL_SECONDS)
    return 0


def _port(settings: RolloutSettings) -> int:
    if not settings.port:
        return free_port()
    require_free(settings.port)
    return settings.port
