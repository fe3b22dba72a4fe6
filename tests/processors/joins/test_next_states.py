import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from clawstream.processors.joins.next_states import observation, reply
from clawstream.schemas import NextState, Step
from tests.builders import NOON, a_feedback, a_step
from tests.processors.conversations import a_tree

USER = {"role": "user", "content": "no, in French"}
TOOLS = [{"role": "tool", "content": "4"}, {"role": "tool", "content": "error: no such file"}]


def sending(step: Step, *messages: dict[str, Any], **fields: Any) -> Step:
    return replace(step, new_messages_json=json.dumps(messages), **fields)


def messages(next_state: NextState | None) -> Any:
    assert next_state is not None
    return next_state.step_id, json.loads(next_state.messages_json)


def test_every_result_of_a_parallel_call_is_in_the_next_state() -> None:
    _, second = a_tree([None, 0])
    assert messages(reply(sending(second, *TOOLS), [])) == ("s0", TOOLS)


def test_the_users_reply_is_the_next_state_up_to_what_somebody_else_answered() -> None:
    _, second = a_tree([None, 0])
    other = {"role": "assistant", "content": "another model's word"}
    assert messages(reply(sending(second, USER, other, *TOOLS), [])) == ("s0", [USER])


def test_a_retry_brings_the_same_next_state_and_another_reply_another() -> None:
    _, first, retry, edit = a_tree([None, 0, 0, 0])
    ids = [reply(sending(step, text), []) for step, text in ((first, USER), (retry, USER), (edit, TOOLS[0]))]
    assert all(found is not None for found in ids)
    assert len({found.next_state_id for found in ids if found}) == 2


def test_a_retry_of_a_whole_prompt_brings_none() -> None:
    first, retry = sending(a_step(), USER), sending(a_step(attempt=2), USER)
    assert reply(retry, [first]) is None


@pytest.mark.parametrize(
    ("answered_seconds", "expected"),
    [(-1, True), (0, True), (1, False)],  # before, at and after the moment at which the next call came
)
def test_a_whole_prompt_follows_the_step_whose_answer_it_holds_when_that_existed(
    answered_seconds: int, expected: bool
) -> None:
    first = a_step(step_id="first", text="4, I think\n", finished_at=NOON + timedelta(seconds=answered_seconds))
    said = {"role": "assistant", "content": [{"type": "text", "text": "4, I think"}]}
    found = reply(sending(a_step(received_at=NOON), USER, said, *TOOLS), [first])
    assert (messages(found) == ("first", TOOLS)) if expected else found is None


def test_calls_are_compared_without_their_ids_and_the_latest_answer_counts() -> None:
    def calls(call_id: str, arguments: str) -> list[dict[str, Any]]:
        return [{"id": call_id, "type": "function", "function": {"name": "add", "arguments": arguments}}]

    earlier = [
        a_step(step_id=name, text="", tool_calls_json=json.dumps(calls(name, '{"a": 1, "b": 2}'))) for name in "xyz"
    ]
    other = a_step(step_id="other", text="", tool_calls_json=json.dumps(calls("o", '{"a": 5}')))
    said = {"role": "assistant", "content": None, "tool_calls": calls("new", '{"b":2,"a":1}')}
    assert messages(reply(sending(a_step(), USER, said, *TOOLS), [*earlier, other])) == ("z", TOOLS)


def test_a_side_turn_follows_nothing() -> None:
    _, second = a_tree([None, 0])
    assert reply(sending(second, USER, turn_type="side"), []) is None


@pytest.mark.parametrize("text", ["{", "[]", "[1]", "3", '{"role": "user"}'])
def test_messages_that_cannot_be_read_bring_no_next_state(text: str) -> None:
    _, second = a_tree([None, 0])
    assert reply(replace(second, new_messages_json=text), []) is None


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ('{"messages": [{"role": "tool", "content": "4"}]}', [{"role": "tool", "content": "4"}]),
        ('{"content": "the door is open"}', [{"role": "observation", "content": "the door is open"}]),
        ('{"door": "open"}', [{"role": "observation", "content": '{"door": "open"}'}]),
        ("[1", [{"role": "observation", "content": "[1"}]),
        (None, [{"role": "observation", "content": ""}]),
    ],
)
def test_an_observation_is_kept_as_it_was_said(detail: str | None, expected: list[Any]) -> None:
    found = observation(a_feedback("observed", detail_json=detail), "s1")
    assert (found.kind, *messages(found)) == ("observed", "s1", expected)
