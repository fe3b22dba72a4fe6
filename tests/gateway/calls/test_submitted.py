"""Submitted steps: what is refused, what is missing, which ids they get."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.calls.record import Sampled, step_of
from clawstream.gateway.calls.submitted import answer_of, by_trajectory, call_of, node_of, read_steps
from clawstream.gateway.errors import ApiError
from clawstream.gateway.tokens.prefix import shorten
from clawstream.schemas import Step, pack_tokens, unpack_logprobs, unpack_tokens


def a_payload(**fields: Any) -> dict[str, Any]:
    """A step as Claw-R1's client sends it."""
    defaults = {
        "prompt_ids": [1, 2],
        "response_ids": [3, 4],
        "rollout_log_probs": [-0.5, -0.25],
        "trajectory_uid": "t",
        "prompt_uid": "g",
        "policy_version": 3,
    }
    return defaults | fields


def recorded(**fields: Any) -> Step:
    """The step that a payload becomes."""
    (step,) = read_steps({"steps": [a_payload(**fields)]})
    prompt = pack_tokens(step.prompt_ids)
    sampled = Sampled(answer=answer_of(step), node=node_of(step, "policy"), ended=None, prompt=prompt)
    return step_of(call_of(step, "val"), sampled, shorten(prompt, [], [], None))[0]


def refusal(*payloads: dict[str, Any]) -> ApiError:
    with pytest.raises(ApiError) as refused:
        read_steps({"steps": list(payloads)})
    assert refused.value.status == 400
    return refused.value


def test_a_step_with_everything_trains_as_it_was_sampled() -> None:
    step = recorded(metadata={"agent": "solver"}, temperature=0.7)
    assert (step.trainable, step.untrainable_reason, step.channel) == (True, None, "val")
    assert (step.trajectory_id, step.group_id, step.agent) == ("t", "g", "solver")
    assert (unpack_tokens(step.prompt_tokens).tolist(), unpack_tokens(step.response_tokens).tolist()) == (
        [1, 2],
        [3, 4],
    )
    assert unpack_logprobs(step.response_logprobs).tolist() == [-0.5, -0.25]
    assert [(span.version, span.start, span.end) for span in step.policy_spans] == [(3, 0, 2)]
    assert (step.node, step.model, step.temperature) == ("submitted", "policy", 0.7)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"rollout_log_probs": None}, "logprobs: 2 token ids but 0 log-probabilities"),
        ({"policy_version": None}, "version: policy version unknown"),
        ({"response_ids": [], "rollout_log_probs": []}, "tokens: "),
        ({"prompt_ids": []}, "prompt: "),
        ({"temperature": 0}, "temperature: "),
        ({"finish_reason": "length"}, "length: "),
    ],
)
def test_what_is_missing_is_the_reason_that_it_does_not_train(fields: dict[str, Any], reason: str) -> None:
    step = recorded(**fields)
    assert not step.trainable
    assert (step.untrainable_reason or "").startswith(reason)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt_ids": "1 2"}, "prompt_ids"),
        ({"prompt_ids": [1, -1]}, "prompt_ids[1]"),
        ({"response_ids": [2**31]}, "response_ids[0]"),
        ({"rollout_log_probs": [-0.5]}, "rollout_log_probs"),
        ({"rollout_log_probs": [-0.5, 0.5]}, "rollout_log_probs"),
        ({"rollout_log_probs": [-0.5, None]}, "rollout_log_probs[1]"),
        ({"policy_version": -1}, "policy_version"),
        ({"policy_version": "3"}, "policy_version"),
        ({"step_index": -1}, "step_index"),
        ({"reward": "good"}, "reward"),
        ({"reward": float("inf")}, "reward"),
        ({"is_last": 1}, "is_last"),
        ({"metadata": []}, "metadata"),
        ({"trajectory_uid": "a\nb"}, "trajectory_uid"),
        ({"prompt_uid": "x" * 201}, "prompt_uid"),
        ({"step_id": "a\nb"}, "step_id"),
        ({"multi_modal_data": {"image": "x"}}, "multi_modal_data"),
        ({"finish_reason": "tired"}, "finish_reason"),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_place(fields: dict[str, Any], param: str) -> None:
    refused = refusal(a_payload(), a_payload(**{"step_index": 1} | fields))
    assert refused.param == f"steps[1].{param}"
    assert f"steps[1].{param}" in refused.message


def test_a_missing_field_is_named() -> None:
    assert refusal({"prompt_ids": [1]}).param == "steps[0].response_ids"
    with pytest.raises(ApiError, match="steps"):
        read_steps({})


def test_the_same_step_twice_in_one_call_is_refused() -> None:
    assert refusal(a_payload(), a_payload(trajectory_uid="u"), a_payload()).param == "steps[2].step_index"


def test_ids_are_the_callers_or_follow_from_the_steps_place() -> None:
    first, again, other, given_id = (
        read_steps({"steps": [a_payload(**fields)]})[0].step_id
        for fields in ({}, {"response_ids": [9, 9]}, {"step_index": 1}, {"step_id": "mine"})
    )
    assert first == again != other
    assert given_id == "mine"


def test_nobody_shares_a_trajectory_without_having_named_it() -> None:
    steps = read_steps({"steps": [a_payload(trajectory_uid="", prompt_uid="") for _ in range(2)]})
    assert len({step.trajectory_uid for step in steps}) == len({step.prompt_uid for step in steps}) == 2
    named = [read_steps({"steps": [a_payload(trajectory_uid="", step_id="s")]})[0] for _ in range(2)]
    assert named[0].trajectory_uid == named[1].trajectory_uid


def test_steps_of_a_trajectory_are_taken_in_order() -> None:
    payloads = [a_payload(step_index=index, trajectory_uid=name) for name, index in (("a", 2), ("b", 0), ("a", 0))]
    found = by_trajectory(read_steps({"steps": payloads}))
    assert {name: [step.step_index for step in steps] for name, steps in found.items()} == {"b": [0], "a": [0, 2]}


_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers(-2, 9))


@given(st.dictionaries(st.sampled_from([*a_payload(), "reward", "step_id", "is_last", "metadata"]), _VALUES))
def test_any_step_is_recorded_or_a_400(fields: dict[str, Any]) -> None:
    refused = None
    try:
        step = recorded(**fields)
    except ApiError as error:
        refused = error
    if refused is not None:
        assert refused.status == 400
        return
    assert step.trainable == (step.untrainable_reason is None)
