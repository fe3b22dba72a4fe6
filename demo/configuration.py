"""The demo's settings for every process, written as the one TOML file that they all read."""

import json
from pathlib import Path
from typing import Any

from clawstream.demo.settings import DemoSettings


def configuration(settings: DemoSettings) -> dict[str, dict[str, Any]]:
    """Sections and keys, as in ``clawstream.toml``."""
    return {
        "kafka": {"partitions": 2},
        "gateway": {"max_policy_lag": 3, "trajectories_per_version": settings.window_samples},
        "processors": {"group_size": settings.group_size, "group_deadline_seconds": 30.0, "idle_seconds": 30.0},
        "rollout": {"max_model_len": 256, "tool_call_parser": "hermes"},
        "trainer": {
            "algorithm": "grpo",
            "window_samples": settings.window_samples,
            "window_seconds": 10.0,
            "max_policy_lag": 4,
            "learning_rate": 3e-4,
            "minibatches": 2,
            "seed": settings.seed,
        },
    }


def write_toml(sections: dict[str, dict[str, Any]], path: Path) -> None:
    """Write ``sections`` of plain values; JSON's strings, numbers and lists are TOML's too."""
    lines = ["# Written by `clawstream demo`: what each of its processes read.\n"]
    for section, values in sections.items():
        lines.append(f"[{section}]\n")
        lines += [f"{key} = {json.dumps(value)}\n" for key, value in values.items()]
        lines.append("\n")
    path.write_text("".join(lines))
