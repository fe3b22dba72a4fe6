"""Who learns, and how; and the settings that follow from it.

Invariant: methods differ in what their trainer makes of the same samples, and in nothing else; the control differs from
``combined`` in the hints that its judge gives.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clawstream.gateway.callers.keys import digest_of
from examples.personal.styles import Style

Method = Literal["binary", "distill", "combined", "wrong-hints"]
BASE = "policy"
VOTES, NOISE = 3, 0.1
_HINTS_PROMPT = Path(__file__).with_name("hints_prompt.txt")


@dataclass(frozen=True, kw_only=True)
class Learner:
    """A tenant: its users' taste, and how its policy learns it."""

    tenant: str
    likes: Style
    method: Method

    @property
    def policy(self) -> str:
        """The name of its adapter."""
        return f"{BASE}-{self.tenant}"

    @property
    def key(self) -> str:
        """Its API key: no secret, but as the real ones are sent."""
        return f"key-of-{self.tenant}"

    @property
    def metadata(self) -> dict[str, Any]:
        """What its trajectories are opened with: the control's tell the judge to mislead."""
        return {"mislead": True} if self.method == "wrong-hints" else {}

    def trainer_arguments(self, base: Path, folder: Path) -> tuple[str, ...]:
        """The command line of its trainer."""
        algorithm = "combined" if self.method == "wrong-hints" else self.method
        given = {"model": base, "output-dir": folder / self.tenant, "tenant": self.tenant, "algorithm": algorithm}
        return ("train", *(part for name, value in given.items() for part in (f"--{name}", str(value))))


def configuration(learners: Sequence[Learner], judge_url: str, keys_file: Path, seed: int) -> dict[str, dict[str, Any]]:
    """Sections and keys, as in ``clawstream.toml``."""
    asked = {"url": judge_url, "votes": VOTES}
    judges = [
        {"kind": "next_state_judge", "model": "judge", "quorum": 2, **asked},
        {"kind": "hints", "model": "hints", "prompt": str(_HINTS_PROMPT), **asked},
    ]
    return {
        "gateway": {"keys_file": str(keys_file)},
        "processors": {"ready": "step", "rewards": json.dumps(judges)},
        "rollout": {
            "adapters": len(learners),
            "max_adapter_rank": 8,
            "max_model_len": 512,
            "tool_call_parser": "",
            "start_seconds": 600.0,
        },
        "trainer": {
            "adapter_of": BASE,
            "lora_rank": 8,
            "lora_alpha": 16.0,
            "hint_teacher": "initial",
            "learning_rate": 3e-3,
            "minibatches": 4,
            "window_samples": 16,
            "window_seconds": 3.0,  # a wave of conversations is over by then
            "keep_snapshots": 4,
            "seed": seed,
        },
    }


def keys_file(learners: Sequence[Learner]) -> str:
    """The gateway's file of tenants, as TOML."""
    return "".join(
        f'[{each.tenant}]\nkeys = ["{digest_of(each.key)}"]\npolicy = "{each.policy}"\n' for each in learners
    )
