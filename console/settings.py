"""Settings of ``clawstream console``."""

from pathlib import Path

from pydantic import Field

from clawstream.streams.settings import Section


class ConsoleSettings(Section):
    """Where the console listens, whom it asks about keys, and how much its index keeps."""

    section = "console"
    host: str = Field(default="127.0.0.1", description="address to listen on")
    port: int = Field(default=8130, ge=0, le=65535, description="port to listen on; 0 takes a free one")
    hosts: str = Field(
        default="",
        description="comma-separated names under which browsers may reach it, besides loopback and host",
    )
    gateway_url: str = Field(
        default="http://127.0.0.1:8100", description="the gateway: it knows the keys and writes what reviewers say"
    )
    operators: str = Field(
        default="default", description="comma-separated tenants that see dead letters and may put them back"
    )
    data_dir: Path = Field(default=Path("runs/console"), description="folder of the index")
    model: Path | None = Field(
        default=None, description="Hugging Face folder whose tokenizer.json turns token ids into text; none: ids alone"
    )
    max_steps: int = Field(default=1_000_000, ge=1, description="steps in the index; the oldest trajectories go first")
    max_days: float = Field(default=30.0, gt=0, description="age at which trajectories leave the index")
    page_rows: int = Field(default=50, ge=1, le=500, description="trajectories on a page of the list")
