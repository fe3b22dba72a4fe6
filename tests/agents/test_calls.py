"""What is sent, and how answers are read."""

from typing import Any

import msgspec
import pytest

from clawstream.agents import calls
from clawstream.agents.answers import SampledStep
from clawstream.agents.place import Place

PLACE = Place(
    trajectory_id="t 1/ä",
    group_id="g",
    group_size=4,
    channel="val",
    metadata={"task": "x"},
    sampling={"temperature": 0.5},
    model="policy",
    agent="me",
)
STEP = {"X-ClawStream-Step": "s1"}


def body(call: calls.Call[Any]) -> Any:
    return msgspec.json.decode(call.body)


def test_every_call_says_where_it_belongs_and_has_a_key_of_its_own() -> None:
    made: list[calls.Call[Any]] = [
        calls.open_trajectory(PLACE),
        calls.chat(PLACE, [], [], False, {}),
        calls.generate(PLACE, [1], {}),
        calls.reward(PLACE, 1, None, "agent", None),
        calls.complete(PLACE, None),
        calls.abort(PLACE, "no"),
    ]
    routes = ["register_trajectory", "chat/completions", "generate", "feedback", "complete_trajectory", "feedback"]
    assert [call.path for call in made] == [f"/t%201%2F%C3%A4/g/v1/{route}" for route in routes]
    assert [call.route for call in made] == routes
    assert [calls.models().route, calls.submit_steps(PLACE, [], 0).route] == ["models", "submit_steps"]
    assert len({call.key for call in made}) == len(made)
    for call in made:
        assert call.headers == {"X-ClawStream-Channel": "val", "X-ClawStream-Agent": "me"}


def test_an_opening_announces_the_group() -> None:
    assert body(calls.open_trajectory(PLACE)) == {"channel": "val", "metadata": {"task": "x", "group_size": 4}}


def test_a_call_samples_as_its_trajectory_unless_it_says_otherwise() -> None:
    messages = [{"role": "user", "content": "hi"}]
    plain = body(calls.chat(PLACE, messages, [], False, {}))
    assert plain == {"model": "policy", "messages": messages, "temperature": 0.5}
    own = body(calls.chat(PLACE, messages, [{"type": "function"}], True, {"temperature": 0, "stop": ["x"], "n": 1}))
    assert (own["temperature"], own["stop"], own["tools"]) == (0, ["x"], [{"type": "function"}])
    assert (own["logprobs"], own["return_token_ids"]) == (True, True)
    generation = body(calls.generate(PLACE, (1, 2), {"top_k": 3}))
    assert generation == {"prompt_ids": [1, 2], "sampling_params": {"temperature": 0.5, "top_k": 3}, "model": "policy"}


@pytest.mark.parametrize("options", [{"stream": True}, {"n": 2}])
def test_what_is_no_single_whole_answer_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="chat gives one whole answer"):
        calls.chat(PLACE, [], [], False, options)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_reward_is_finite(value: float) -> None:
    with pytest.raises(ValueError, match="a reward is a finite number"):
        calls.reward(PLACE, value, None, "agent", None)
    with pytest.raises(ValueError, match="a reward is a finite number"):
        calls.complete(PLACE, value)


def test_a_missing_reward_is_not_zero() -> None:
    assert body(calls.complete(PLACE, None)) == {}
    assert body(calls.complete(PLACE, False)) == {"reward": 0.0}


def test_submitted_steps_are_numbered_on_and_hold_only_what_is_known() -> None:
    steps = [SampledStep(prompt_ids=[1], response_ids=[2], logprobs=[-0.5], policy_version=3, reward=1)]
    call = calls.submit_steps(PLACE, [*steps, SampledStep(prompt_ids=(1,), response_ids=(9,))], 5)
    first, second = body(call)["steps"]
    assert call.path == "/submit_steps?channel=val"
    assert (first["step_index"], second["step_index"]) == (5, 6)
    assert (first["trajectory_uid"], first["prompt_uid"]) == ("t 1/ä", "g")
    assert (first["rollout_log_probs"], first["policy_version"], first["reward"]) == ([-0.5], 3, 1.0)
    assert not {"rollout_log_probs", "policy_version", "reward"} & set(second)
    assert call.read({"accepted": 2}, {}) == 2


def test_a_chat_answer_is_read() -> None:
    message = {"role": "assistant", "content": None, "refusal": None, "tool_calls": [{"id": "c"}]}
    choice = {"message": message, "finish_reason": "tool_calls", "logprobs": None}
    answer = calls.chat(PLACE, [], [], False, {}).read({"choices": [choice], "usage": {"total_tokens": 3}}, STEP)
    assert (answer.text, answer.tool_calls, answer.finish_reason) == ("", [{"id": "c"}], "tool_calls")
    assert answer.message == {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]}
    assert (answer.step_id, answer.token_ids, answer.logprobs) == ("s1", None, None)


def test_tokens_are_read_where_they_were_asked_for() -> None:
    logprobs = {"content": [{"token": "a", "logprob": -0.5}, {"token": "b", "logprob": -1.5}]}
    choice = {"message": {"content": "ab"}, "logprobs": logprobs, "token_ids": [4, 5]}
    answer = calls.chat(PLACE, [], [], True, {}).read({"choices": [choice], "prompt_token_ids": [1]}, STEP)
    assert (answer.prompt_ids, answer.token_ids, answer.logprobs) == ([1], [4, 5], [-0.5, -1.5])
