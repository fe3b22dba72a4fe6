"""One learner's run: its users talk, its policy learns between their conversations, and is tried out now and then.

Invariant: what a wave of conversations said has been learnt, and is served, before the next wave begins; so the number
of interactions that a score is given for is the number that it had::

    wave of 4 conversations -> steps judged -> an update or two -> served -> wave of 4 ...
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from openai import AsyncOpenAI

from examples.personal.learners import Learner
from examples.personal.stage import Stage, until
from examples.personal.users import User

WAVE = 4
CHECKPOINTS = (0, 12, 24, 36)  # interactions after which the policy is tried out
_TRIALS_IN_FLIGHT = 8
_LEARN_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True)
class Score:
    """What a policy was worth after so many interactions.

    Attributes:
        interactions: conversations that users had had.
        liked: share of fresh requests whose first answer its users liked.
        version: of the policy that was tried out.
        steps: answers in these conversations, each of which was judged and trained.
    """

    interactions: int
    liked: float
    version: int
    steps: int


async def learn(
    stage: Stage, learner: Learner, seed: int, *, checkpoints: Sequence[int] = CHECKPOINTS, trials: int = 100
) -> list[Score]:
    """The learner's scores at ``checkpoints``, by ``trials`` fresh requests each."""
    client = AsyncOpenAI(base_url=stage.gateway_url, api_key=learner.key)
    metadata = tuple(learner.metadata.items())
    user = User(client=client, gateway_url=stage.gateway_url, likes=learner.likes, metadata=metadata)
    rng = random.Random(f"{seed} {learner.tenant}")  # noqa: S311  # nothing here is secret
    scores, done, steps = [], 0, 0
    for checkpoint in checkpoints:
        while done < checkpoint:
            wave = min(WAVE, checkpoint - done)
            talks = await asyncio.gather(*(user.talk(random.Random(rng.random())) for _ in range(wave)))  # noqa: S311
            done, steps = done + wave, steps + sum(talk.whole for talk in talks)
            await learnt(stage, learner, steps)
        liked = await tried_out(user, rng, trials)
        version = stage.served_version(learner) or 0
        scores.append(Score(interactions=done, liked=liked, version=version, steps=steps))
    await client.close()
    return scores


async def tried_out(user: User, rng: random.Random, trials: int) -> float:
    """Share of ``trials`` fresh requests whose first answer ``user`` likes."""
    gate = asyncio.Semaphore(_TRIALS_IN_FLIGHT)

    async def trial(seed: float) -> bool:
        async with gate:
            return await user.try_out(random.Random(seed))  # noqa: S311  # nothing here is secret

    liked = await asyncio.gather(*(trial(rng.random()) for _ in range(trials)))
    return sum(liked) / trials


async def learnt(stage: Stage, learner: Learner, steps: int) -> None:
    """Return once ``steps`` have been trained and what came of it is served."""

    def done() -> bool:
        trained = stage.steps_trained(learner) >= steps
        return trained and stage.served_version(learner) == stage.trained_version(learner)

    await until(done, _LEARN_SECONDS, f"{learner.tenant}: {steps} steps were not trained and served")
