"""One run: some users talk, the policy learns between their conversations, and is tried out now and then.

Invariant: what a wave of conversations said has been learnt, and is served, before the next wave begins; so the number
of interactions that a score is given for is the number that it had::

    wave of 4 conversations -> steps judged -> one update or two -> served -> wave of 4 ...
"""

import asyncio
import random
import time
from dataclasses import asdict, dataclass
from typing import Any

from clawstream.demo.watch import Observed
from examples.personal.stage import Stage
from examples.personal.users import User

INTERACTIONS, WAVE, TRIALS = 36, 4, 100
_SETTLE_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_TRIALS_IN_FLIGHT = 16


@dataclass(frozen=True, kw_only=True)
class Score:
    """What the policy was worth after so many interactions.

    Attributes:
        interactions: conversations that users had had.
        liked: share of fresh requests whose first answer its user liked.
        version: of the policy that was tried out.
        steps: answers in these conversations, all of which were judged.
    """

    interactions: int
    liked: float
    version: int
    steps: int

    def as_json(self) -> dict[str, Any]:
        """For results files."""
        return asdict(self)


async def learn(stage: Stage, user: User, seed: int, *, interactions: int = INTERACTIONS) -> list[Score]:
    """Scores before, after each third, and at the end of ``interactions``."""
    rng = random.Random(seed)  # noqa: S311  # nothing here is secret
    steps, scores = 0, [await score(stage, user, rng, 0, 0)]
    for done in range(WAVE, interactions + 1, WAVE):
        talks = await asyncio.gather(*(user.talk(random.Random(rng.random())) for _ in range(WAVE)))  # noqa: S311
        steps += sum(talk.whole for talk in talks)
        await learnt(stage.observed, steps)
        if done % (interactions // 3) < WAVE:
            scores.append(await score(stage, user, rng, done, steps))
    return scores


async def score(stage: Stage, user: User, rng: random.Random, interactions: int, steps: int) -> Score:
    """Try the policy out."""
    gate = asyncio.Semaphore(_TRIALS_IN_FLIGHT)

    async def trial(seed: float) -> bool:
        async with gate:
            return await user.try_out(random.Random(seed))  # noqa: S311  # nothing here is secret

    liked = await asyncio.gather(*(trial(rng.random()) for _ in range(TRIALS)))
    version = stage.observed.served_version or 0
    return Score(interactions=interactions, liked=sum(liked) / TRIALS, version=version, steps=steps)


async def learnt(observed: Observed, steps: int) -> None:
    """Return once ``steps`` have been trained and the nodes serve what came of it.

    Raises ``TimeoutError`` with what is missing.
    """
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        trained = sum(len(report.sample_ids) + len(report.discarded) for report in observed.updates)
        if trained >= steps and observed.served_version == observed.trained_version:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"{trained} of {steps} steps trained after {_SETTLE_SECONDS:g} s; version "
                f"{observed.trained_version} is trained and {observed.served_version} served"
            )
        await asyncio.sleep(_LOOK_SECONDS)
