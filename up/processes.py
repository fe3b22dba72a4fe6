"""Which processes make a whole ClawStream on one machine, as command lines.

Invariant: each is the tested command line, so what ``up`` runs is what anybody runs by hand.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from clawstream.streams.process.ports import HOST, free_port
from clawstream.streams.settings import KafkaSettings, SettingsError
from clawstream.up.settings import UpSettings


@dataclass(frozen=True, kw_only=True)
class Process:
    """One process to keep alive."""

    name: str
    arguments: tuple[str, ...]  # of the clawstream command
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def argv(self) -> tuple[str, ...]:
        """The whole command line."""
        return (sys.executable, "-m", "clawstream.cli.main", *self.arguments)


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The processes in the order in which they start, and where to reach them."""

    kafka: KafkaSettings
    gateway_url: str
    console_url: str | None = None  # None: it does not run
    broker: Process | None  # None: an external cluster is configured
    apps: tuple[Process, ...]


def stack(settings: UpSettings, kafka: KafkaSettings, extra: Mapping[str, str] | None = None) -> Stack:
    """Lay out a whole ClawStream. ``extra``: environment variables for every process.

    Raises ``SettingsError`` where Kafka is secured and none is named.
    """
    external = "bootstrap_servers" in kafka.model_fields_set
    if not external and kafka.security_protocol != "PLAINTEXT":
        raise SettingsError(
            f"[kafka] security_protocol is {kafka.security_protocol}, and bootstrap_servers names no cluster: the "
            "broker that runs here has no listener but PLAINTEXT, on loopback"
        )
    kafka_port = free_port(9092)
    if not external:
        kafka = kafka.model_copy(update={"bootstrap_servers": f"{HOST}:{kafka_port}"})
    environment = {
        "OMP_WAIT_POLICY": "PASSIVE",  # threads that wait leave the cores to the other processes
        **(extra or {}),
        **kafka.environment(),
    }
    gateway_port, data = free_port(settings.port or None), settings.data_dir
    console_port = free_port(settings.console_port or None)
    gateway_url = f"http://{HOST}:{gateway_port}"

    def process(name: str, *arguments: str) -> Process:
        return Process(name=name, arguments=arguments, environment=environment)

    broker = process("broker", "broker", "--port", str(kafka_port), "--data-dir", str(data / "kafka"), *_metrics())
    apps = [
        *(
            process(f"rollout-{n}", "rollout", "--model", str(settings.model), "--name", f"node-{n}", *_metrics())
            for n in range(settings.nodes)
        ),
        process("gateway", "gateway", "--port", str(gateway_port)),
        *(process(f"process-{n}", "process", *_metrics()) for n in range(settings.workers)),
        process("train", "train", "--model", str(settings.model), "--output-dir", str(data / "train"), *_metrics()),
    ]
    if settings.console:
        place = ("--port", str(console_port), "--gateway-url", gateway_url, "--data-dir", str(data / "console"))
        has_tokenizer = (settings.model / "tokenizer.json").exists()
        apps.append(process("console", "console", *place, *(("--model", str(settings.model)) if has_tokenizer else ())))
    return Stack(
        kafka=kafka,
        gateway_url=gateway_url,
        console_url=f"http://{HOST}:{console_port}" if settings.console else None,
        broker=None if external else broker,
        apps=tuple(apps),
    )


def _metrics() -> tuple[str, str]:
    return "--metrics-port", str(free_port())
