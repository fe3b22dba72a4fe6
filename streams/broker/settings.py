"""Settings of the local broker."""

from pathlib import Path

from pydantic import Field

from clawstream.streams.settings import Section


class BrokerSettings(Section):
    """Where the local Kafka listens and keeps its data."""

    section = "broker"
    port: int = Field(default=9092, ge=0, le=65535, description="port on 127.0.0.1; 0 picks a free one")
    data_dir: Path = Field(default=Path("runs/kafka"), description="folder of the broker's data, kept between starts")
    metrics_port: int = Field(default=0, ge=0, le=65535, description="port of /metrics; 0: none")
    ephemeral: bool = Field(default=False, description="use a temporary folder, removed at the end, not data_dir")
