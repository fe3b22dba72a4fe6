"""What cannot be trained exactly as it was sampled is refused, with a sentence."""

import math
from typing import Any

import msgspec
import pytest

from clawstream.schemas import GroupStatistics, PolicySpan, ResponseSpan, Sequence, pack_logprobs, pack_tokens
from clawstream.streams.windows.usable import ModelLimits, policy_lag, unusable
from tests.builders import a_sample, a_sequence

LIMITS = ModelLimits(max_positions=8, vocabulary_size=100)


def span(start: int, end: int, temperature: float = 1.0) -> ResponseSpan:
    return ResponseSpan(step_id="s1", start=start, end=end, temperature=temperature)


def changed(**fields: Any) -> Sequence:
    return msgspec.structs.replace(a_sequence([1, 2], [3, 4]), **fields)


def test_an_ordinary_sample_is_usable() -> None:
    assert unusable(a_sample(), LIMITS, 0) is None


@pytest.mark.parametrize(
    ("sequence", "reason"),
    [
        (changed(tokens=pack_tokens([1, 2, 3])), "12 bytes of tokens and 16 of log-probabilities do not match"),
        (changed(tokens=b"123"), "3 bytes of tokens"),
        (a_sequence(list(range(7)), [8, 9]), "9 tokens are more than the model's 8 positions"),
        (changed(responses=[]), "nothing in it was sampled"),
        (changed(responses=[span(0, 2)]), "[0, 2) does not lie within [1, 4)"),
        (changed(responses=[span(2, 5)]), "[2, 5) does not lie within"),
        (changed(responses=[span(2, 4), span(3, 4)]), "[3, 4) does not lie within [4, 4)"),
        (changed(responses=[span(2, 2)]), "[2, 2) does not lie within"),
        (changed(responses=[span(2, 4, 0.0)]), "temperature 0.0 of step s1 is no sampling"),
        (changed(tokens=pack_tokens([1, 2, 3, 100])), "token ids 1 to 100 are not all below 100"),
        (changed(tokens=pack_tokens([1, -2, 3, 4])), "token ids -2 to 4"),
        (changed(logprobs=pack_logprobs([0, 0, -1, math.nan])), "not all finite"),
        (changed(logprobs=pack_logprobs([0, 0, -1, 0.5])), "at most 0"),
        (changed(policy_spans=[]), "no policy version"),
        (changed(policy_spans=[PolicySpan(version=3, start=2, end=4)]), "policy version 3 sampled it"),
    ],
)
def test_a_sequence_that_does_not_fit_is_named(sequence: Sequence, reason: str) -> None:
    found = unusable(a_sample(sequences=[a_sequence([1], [2]), sequence]), LIMITS, 2)
    assert found is not None
    assert found.startswith("sequence 1: ")
    assert reason in found


def test_no_sequence_at_all() -> None:
    assert unusable(a_sample(sequences=[]), LIMITS, 0) == "it has no sequence"


def test_rewards_must_be_finite() -> None:
    statistics = GroupStatistics(size=2, expected_size=2, reward_mean=math.inf, reward_std=0.0, closed_by="complete")
    assert "not all finite" in (unusable(a_sample(group=statistics), LIMITS, 0) or "")


def test_raw_logprobs_do_not_know_the_temperature() -> None:
    warm = a_sample(sequences=[changed(responses=[span(2, 4, 0.7)])], logprobs_mode="raw_logprobs")
    assert "raw_logprobs do not hold the temperature 0.7" in (unusable(warm, LIMITS, 0) or "")
    assert unusable(a_sample(logprobs_mode="raw_logprobs"), LIMITS, 0) is None


def test_lag_counts_from_the_oldest_token() -> None:
    spans = [PolicySpan(version=3, start=2, end=3), PolicySpan(version=5, start=3, end=4)]
    sample = a_sample(sequences=[a_sequence([1], [2], version=4), changed(policy_spans=spans)])
    assert policy_lag(sample, 7) == 4
