"""Settings of ``clawstream demo``."""

from pathlib import Path

from pydantic import Field

from clawstream.streams.settings import Section


class DemoSettings(Section):
    """How long the demo learns, and on how much."""

    section = "demo"
    data_dir: Path = Field(
        default=Path("runs/demo"), description="folder for the model, Kafka's data, logs and the result"
    )
    seed: int = Field(default=7, description="seed of the model, the tasks and the trainer")
    group_size: int = Field(default=8, ge=2, description="rollouts of each task")
    groups_in_flight: int = Field(default=6, ge=1, description="tasks that agents work on at the same time")
    window_samples: int = Field(default=64, ge=2, description="samples in each update of the policy")
    max_updates: int = Field(default=80, ge=1, description="updates after which learning ends")
    target: float = Field(
        default=0.9, gt=0, le=1, description="success rate over recent training tasks that ends learning"
    )
    max_seconds: float = Field(default=240.0, gt=0, description="seconds after which learning ends")
    held_out_tasks: int = Field(default=200, ge=1, description="held-out tasks, tried before and after")
    temperature: float = Field(
        default=1.0, gt=0, description="sampling temperature of the agents, the same in both measurements"
    )
    keep: bool = Field(default=False, description="leave everything running afterwards, until Ctrl-C")
