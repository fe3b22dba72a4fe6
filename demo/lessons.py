"""What a model is warmed up on. The demo's own lessons are arithmetic; other models bring others."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clawstream.demo.agent import TOOLS
from clawstream.demo.demonstrations import Mixture, demonstrate


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """Conversations to learn from.

    Attributes:
        demonstrate: one conversation as OpenAI messages, the next from the same generator.
        tools: what the conversations may call.
        sources: files that decide what the conversations are; a change of theirs makes another model.
    """

    demonstrate: Callable[[random.Random], list[dict[str, Any]]]
    tools: list[dict[str, Any]] | None = None
    sources: tuple[Path, ...]


def arithmetic(mixture: Mixture) -> Lessons:
    """The demo's."""
    folder = Path(__file__).parent
    return Lessons(
        demonstrate=partial(demonstrate, mixture=mixture),
        tools=TOOLS,
        sources=(folder / "agent.py", folder / "demonstrations.py", folder / "lessons.py"),
    )
