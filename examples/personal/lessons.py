"""What the base is warmed up on: a policy that mixes styles by itself and keeps to one when a hint says so.

Invariant: without a hint each sentence's style is drawn for itself, whatever the user said before; with one, nearly
every sentence is in the hint's. So the base has what a user wants within reach, and does not do it.
"""

import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from clawstream.demo.lessons import Lessons
from examples.personal.styles import CORRECTIONS, HINTS, REASKED, REQUESTS, STYLES, TOLD, TOPICS, Style, reply


@dataclass(frozen=True, kw_only=True)
class Habits:
    """How the base talks.

    Attributes:
        weights: how often a sentence is in each style, in the order of ``STYLES``.
        hinted: share of the conversations whose last request has a hint.
        heeding: share of the sentences after a hint that are in its style; others are as without one.
        most_turns: requests of a conversation.
    """

    weights: tuple[float, float, float, float] = (0.28, 0.28, 0.22, 0.22)
    hinted: float = 0.5
    heeding: float = 0.97
    most_turns: int = 4


def personal_lessons(habits: Habits) -> Lessons:
    """The base's lessons."""
    folder = Path(__file__).parent
    return Lessons(
        demonstrate=partial(demonstrate, habits=habits), sources=(folder / "lessons.py", folder / "styles.py")
    )


def demonstrate(rng: random.Random, habits: Habits) -> list[dict[str, Any]]:
    """One conversation: a request, and up to three more tries; the last may have a hint."""
    topic, wanted = rng.choice(TOPICS), rng.choice(STYLES)
    asked = rng.choice(REQUESTS).format(topic=topic)
    messages: list[dict[str, Any]] = []
    for _ in range(rng.randint(1, habits.most_turns)):
        messages += [_says("user", asked), _says("assistant", reply(topic, _styles(rng, habits, None)))]
        asked = rng.choice((CORRECTIONS[wanted], REASKED))
    if rng.random() < habits.hinted:
        hint = rng.choice(STYLES)
        messages[-2] = _says("user", messages[-2]["content"] + TOLD + HINTS[hint])
        messages[-1] = _says("assistant", reply(topic, _styles(rng, habits, hint)))
    return messages


def _styles(rng: random.Random, habits: Habits, hint: Style | None) -> tuple[Style, ...]:
    def one() -> Style:
        if hint is not None and rng.random() < habits.heeding:
            return hint
        return rng.choices(STYLES, habits.weights)[0]

    return (one(), one(), one())


def _says(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "content": text}
