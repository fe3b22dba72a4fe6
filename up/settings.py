"""Settings of ``clawstream up``."""

from pathlib import Path

from pydantic import Field

from clawstream.streams.settings import Section


class UpSettings(Section):
    """What ``clawstream up`` starts. Each process also reads its own section."""

    section = "up"
    model: Path = Field(default=Path("model"), description="Hugging Face folder of the policy that serves and learns")
    data_dir: Path = Field(default=Path("runs/up"), description="folder for Kafka's data, checkpoints and snapshots")
    port: int = Field(
        default=8100, ge=0, le=65535, description="the gateway's port; another free one is taken where it is in use"
    )
    nodes: int = Field(default=1, ge=1, description="rollout nodes")
    console: bool = Field(default=True, description="whether the console runs too")
    console_port: int = Field(
        default=8130, ge=0, le=65535, description="the console's port; another free one is taken where it is in use"
    )
    workers: int = Field(default=1, ge=1, description="processor workers")
    stop_seconds: float = Field(
        default=30.0, gt=0, description="time that each process has to stop before it is killed"
    )
