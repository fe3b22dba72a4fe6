"""Long trajectories are trained as often as they are generated, though their first tokens grow old."""

import heapq
import random
from statistics import fmean

from clawstream.schemas import PolicySpan, ResponseSpan, Sample, Sequence, pack_logprobs, pack_tokens, unpack_tokens
from clawstream.streams.reading.consumer import Received
from clawstream.streams.windows.seen import SeenSamples
from clawstream.streams.windows.usable import policy_lag
from clawstream.streams.windows.window import WindowAssembler, WindowLimits
from tests.builders import a_sample

MAX_LAG, WINDOW, COUNT = 2, 16, 1_500


def generated(length: int, versions: list[int], name: str) -> Sample:
    """A trajectory whose token t was sampled by ``versions[t]``."""
    spans = [PolicySpan(version=version, start=at + 1, end=at + 2) for at, version in enumerate(versions)]
    sequence = Sequence(
        tokens=pack_tokens(range(length + 1)),
        logprobs=pack_logprobs([0.0] * (length + 1)),
        responses=[ResponseSpan(step_id="s", start=1, end=length + 1, temperature=1.0)],
        policy_spans=spans,
    )
    return a_sample(sample_id=name, sequences=[sequence])


def test_the_lengths_trained_are_the_lengths_generated() -> None:
    """A token a tick each, as many at once as pacing admits: (lag + 1) windows; every tenth trajectory is long."""
    chance, version, tick = random.Random(0), 0, 0
    windows = WindowAssembler(
        WindowLimits(samples=WINDOW, tokens=10**9, seconds=1e9, policy_lag=MAX_LAG),
        lambda sample, version: None,
        SeenSamples(10_000),
        {},
    )
    history = [0]  # the version at each tick
    running: list[tuple[int, int, int]] = []  # end, number, length
    begun, trained, discarded, whole = 0, [], 0, []
    while len(trained) + discarded < COUNT:
        while len(running) < (MAX_LAG + 1) * WINDOW:
            length = chance.randrange(80, 160) if chance.random() < 0.1 else chance.randrange(2, 20)
            heapq.heappush(running, (tick + length, begun, length))
            begun += 1
        while running[0][0] <= tick:
            end, number, length = heapq.heappop(running)
            sample = generated(length, history[end - length : end], str(number))
            whole.append((length, policy_lag(sample, version) <= MAX_LAG))
            windows.add(Received(record=sample, partition=0, offset=number, timestamp_ms=0), version, 0.0)
            if windows.due(0.0):
                window = windows.close()
                trained += [len(unpack_tokens(each.sequences[0].tokens)) - 1 for each in window.samples]
                discarded += len(window.discarded)
                version += 1
        tick += 1
        history.append(version)
    assert discarded == 0
    assert fmean(trained) > 0.97 * fmean(length for length, _ in whole)
    kept = fmean(length for length, young in whole if young)
    assert kept < 0.7 * fmean(trained)  # what discarding by the oldest token would have left
