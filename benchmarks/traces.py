"""Windows of samples of a given shape, with random tokens."""

import statistics
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from clawstream.schemas import (
    GroupStatistics,
    PolicySpan,
    ResponseSpan,
    Sample,
    Sequence,
    pack_logprobs,
    pack_tokens,
)

_GROUP = 8


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the trajectories of a window look like."""

    name: str
    trajectories: int
    steps: int
    prompt: int  # tokens before the first step
    answer: tuple[int, int]  # fewest and most tokens of a step
    result: int  # tokens between steps
    branches: int  # sequences that leave the first one half way


def window_of(shape: Shape, vocabulary: int, version: int = 0) -> list[Sample]:
    """A window of groups of eight with rewards of 0 and 1, sampled by policy ``version``; others' have other tokens."""
    random = np.random.default_rng(version)
    rewards = [float(number % 2) for number in range(shape.trajectories)]
    group = GroupStatistics(
        size=_GROUP,
        expected_size=_GROUP,
        reward_mean=statistics.fmean(rewards),
        reward_std=statistics.stdev(rewards),
        closed_by="complete",
    )
    samples = []
    for number, reward in enumerate(rewards):
        sequences = _sequences(shape, vocabulary, version, random)
        samples.append(
            Sample(
                sample_id=f"sample-{version}-{number}",
                trajectory_id=f"trajectory-{version}-{number}",
                group_id=f"group-{version}-{number // _GROUP}",
                tenant="default",
                agent="",
                channel="train",
                step_ids=[span.step_id for sequence in sequences for span in sequence.responses],
                sequences=sequences,
                reward=reward,
                rewards=[],
                group=group,
                logprobs_mode="processed_logprobs",
                ready_at=datetime.now(UTC),
            )
        )
    return samples


def _sequences(shape: Shape, vocabulary: int, version: int, random: np.random.Generator) -> list[Sequence]:
    trunk, spans = _grown(
        random.integers(vocabulary, size=shape.prompt).tolist(), shape, shape.steps, vocabulary, random
    )
    found = [_sequence(trunk, spans, version, "")]
    for branch in range(shape.branches):
        leaves_at = spans[shape.steps // 2].start
        tokens, new = _grown(trunk[:leaves_at], shape, shape.steps // 2, vocabulary, random)
        found.append(_sequence(tokens, new, version, f"-{branch}"))
    return found


@dataclass(frozen=True, kw_only=True)
class _Span:
    start: int
    end: int


def _grown(
    tokens: list[int], shape: Shape, steps: int, vocabulary: int, random: np.random.Generator
) -> tuple[list[int], list[_Span]]:
    spans: list[_Span] = []
    for step in range(steps):
        if step:
            tokens = tokens + random.integers(vocabulary, size=shape.result).tolist()
        answer = random.integers(vocabulary, size=int(random.integers(*shape.answer))).tolist()
        spans.append(_Span(start=len(tokens), end=len(tokens) + len(answer)))
        tokens = tokens + answer
    return tokens, spans


def _sequence(tokens: list[int], spans: list[_Span], version: int, suffix: str) -> Sequence:
    return Sequence(
        tokens=pack_tokens(tokens),
        logprobs=pack_logprobs([-9.0] * len(tokens)),
        responses=[
            ResponseSpan(step_id=f"s{number}{suffix}", start=span.start, end=span.end, temperature=1.0)
            for number, span in enumerate(spans)
        ],
        policy_spans=[PolicySpan(version=version, start=span.start, end=span.end) for span in spans],
    )
