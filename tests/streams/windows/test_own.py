"""What of a sample the model that is trained has sampled."""

from hypothesis import given
from hypothesis import strategies as st

from clawstream.schemas import PolicySpan, ResponseSpan, Sample, pack_logprobs, pack_tokens
from clawstream.schemas import Sequence as TokenSequence
from clawstream.schemas.reading.sequences import sampled_by
from clawstream.streams.windows.own import models_of, own_part
from tests.builders import a_sample, a_sequence

MODELS = ("", "policy", "policy-acme", "policy-other")


def sampled(*models_and_versions: tuple[str, int]) -> Sample:
    """One sequence: a token of the prompt, and one of each step."""
    count = len(models_and_versions)
    sequence = TokenSequence(
        tokens=pack_tokens([7] * (count + 1)),
        logprobs=pack_logprobs([0.0] + [-0.5] * count),
        responses=[
            ResponseSpan(step_id=f"s{at}", start=at, end=at + 1, temperature=1.0, model=model)
            for at, (model, _) in enumerate(models_and_versions, start=1)
        ],
        policy_spans=[
            PolicySpan(version=version, start=at, end=at + 1)
            for at, (_, version) in enumerate(models_and_versions, start=1)
        ],
    )
    return a_sample(sequences=[sequence], step_ids=[span.step_id for span in sequence.responses])


def left(sample: Sample) -> list[tuple[str, int]]:
    return [(model, version) for sequence in sample.sequences for _, model, version in sampled_by(sequence)]


def test_an_adapter_trains_its_own_steps_and_its_bases_version_0_which_is_its_own() -> None:
    sample = sampled(("policy", 0), ("policy-acme", 2), ("policy-other", 2), ("", 1), ("policy", 7))
    own = own_part(sample, "policy-acme", "policy")
    assert left(own) == [("policy", 0), ("policy-acme", 2), ("", 1)]
    assert own.step_ids == ["s1", "s2", "s4"]
    assert own.sequences[0].tokens == sample.sequences[0].tokens
    assert models_of(sample) == "no model, policy, policy-acme, policy-other"


def test_a_whole_model_trains_nothing_that_adapters_sampled() -> None:
    own = own_part(sampled(("policy", 7), ("policy-acme", 7), ("policy-acme", 0)), "policy", "")
    assert (left(own), own.step_ids) == ([("policy", 7)], ["s1"])
    assert own_part(sampled(("policy-acme", 7)), "policy", "").sequences == []


def test_a_sample_of_the_model_alone_is_as_it_was() -> None:
    sample = a_sample(sequences=[a_sequence([1], [2], version=3, model="policy")])
    assert own_part(sample, "policy", "") is sample


@given(st.lists(st.tuples(st.sampled_from(MODELS), st.integers(0, 3)), min_size=1, max_size=6))
def test_what_is_left_is_all_of_its_own_and_taken_again_it_is_the_same(steps: list[tuple[str, int]]) -> None:
    own = own_part(sampled(*steps), "policy-acme", "policy")
    assert left(own) == [(m, v) for m, v in steps if m in ("", "policy-acme") or (m, v) == ("policy", 0)]
    assert own_part(own, "policy-acme", "policy") is own
