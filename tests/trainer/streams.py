"""Samples as they would lie in one partition."""

import random

from clawstream.schemas import Sample
from tests.builders import a_sample, a_sequence


def samples(count: int) -> list[Sample]:
    """Samples of one group, so that one partition keeps their order; rewards and tokens vary."""
    tokens = random.Random(1)
    return [
        a_sample(
            float(number % 2),
            0.5,
            0.7,
            2,
            sample_id=f"sample-{number}",
            sequences=[
                a_sequence([tokens.randrange(256) for _ in range(6)], [tokens.randrange(256) for _ in range(5)], -5.5)
            ],
        )
        for number in range(count)
    ]
