"""A body is passed on as it was, or refused with the name of the field."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.chat.request import ChatRequest, node_body, read_chat
from clawstream.gateway.errors import ApiError
from clawstream.gateway.reading import read_object

MESSAGES = [{"role": "user", "content": "hi"}]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["messages", "model", "stream", "stream_options", "n", "temperature", "logprobs", "top_logprobs", "tools", "x"]


def asked(**fields: Any) -> ChatRequest:
    return read_chat({"messages": MESSAGES} | fields)


def passed_on(**fields: Any) -> Any:
    return json.loads(node_body(asked(**fields), "policy"))


def test_unknown_parameters_pass_through() -> None:
    body = passed_on(seed=7, stop=["x"], tool_choice="auto", response_format={"type": "json_object"}, top_k=5)
    assert (body["seed"], body["stop"], body["tool_choice"], body["top_k"]) == (7, ["x"], "auto", 5)
    assert body["response_format"] == {"type": "json_object"}
    assert body["messages"] == MESSAGES


def test_the_node_is_asked_to_say_what_it_samples() -> None:
    body = passed_on(model="anything", stream=False, stream_options={"continuous_usage_stats": True})
    assert body["model"] == "policy"
    assert (body["stream"], body["logprobs"], body["top_logprobs"], body["return_token_ids"]) == (True, True, 0, True)
    assert body["stream_options"] == {"continuous_usage_stats": True, "include_usage": True}
    assert passed_on(logprobs=True, top_logprobs=5)["top_logprobs"] == 5


def test_what_is_not_read_as_it_comes_may_come_many_tokens_at_a_time() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert passed_on()["stream_interval"] == 32
    assert "stream_interval" not in passed_on(stream=True)
    assert "stream_interval" not in passed_on(tools=tools)  # parsers of calls are made for one at a time
    assert passed_on(stream_interval=5)["stream_interval"] == 5
    assert "stream_interval" not in asked(stream_interval=5).sampling()


def test_the_recorded_temperature_is_the_one_that_is_used() -> None:
    assert passed_on()["temperature"] == asked().temperature == 1.0
    assert passed_on(temperature=0)["temperature"] == asked(temperature=0).temperature == 0.0


def test_session_keys_are_not_passed_on() -> None:
    ours = {"session_id": 7, "turn_type": "side", "session_done": True, "trajectory_uid": "t", "prompt_uid": 1}
    request = asked(**ours, channel="val")
    assert not {*ours, "channel"} & set(json.loads(node_body(request, "policy")))
    claims = request.claims
    assert (claims.session_id, claims.turn_type, claims.session_done) == ("7", "side", "True")
    assert (claims.trajectory_id, claims.group_id, claims.channel) == ("t", "1", "val")


def test_claw_r1s_response_length_is_a_limit_where_there_is_no_other() -> None:
    assert (passed_on(response_length=9)["max_tokens"], "response_length" in passed_on(response_length=9)) == (9, False)
    assert passed_on(response_length=9, max_tokens=5)["max_tokens"] == 5
    assert passed_on(response_length=9, max_completion_tokens=4)["max_tokens"] == 4
    assert "max_tokens" not in passed_on()


def test_sampling_parameters_are_kept_apart_from_the_conversation() -> None:
    request = asked(seed=7, temperature=0.5, user="alice", tools=[{}], stream=True)
    assert request.sampling() == {"seed": 7, "temperature": 0.5}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": "hi"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": "1"}, "n"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": 3}}, "stream_options.include_usage"),
        ({"tools": {}}, "tools"),
        ({"use_beam_search": True}, "use_beam_search"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        asked(**fields)
    assert (refused.value.status, refused.value.param) == (400, param)
    assert json.loads(refused.value.body)["error"]["param"] == param


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ApiError) as refused:
        read_chat({})
    assert refused.value.param == "messages"


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b"1", b'"\\ud800"', b"[" * 100_000, b'{"a":1e999}'])
def test_what_is_no_json_object_is_a_400(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        read_object(body)
    assert refused.value.status == 400


@given(
    st.binary(max_size=60)
    | st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5).map(json.dumps).map(str.encode)
)
def test_any_body_is_a_request_or_a_400(body: bytes) -> None:
    refused = None
    try:
        request = read_chat(read_object(body))
        sent = json.loads(node_body(request, "policy"))
    except ApiError as error:
        refused = error
    if refused is not None:
        assert refused.status == 400
        return
    assert sent["messages"] == request.messages
    json.dumps(request.sampling())
