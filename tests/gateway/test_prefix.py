"""What is stored of a prompt, resolved along its chain, is the prompt."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.prefix import Known, PrefixStore, digest_of, shorten
from clawstream.schemas import pack_tokens, tokens_digest

USER = {"role": "user", "content": "hi"}
ANSWER = {"role": "assistant", "content": "hello"}
TOOL = {"role": "tool", "tool_call_id": "c", "content": "57"}
TOOLS = [{"type": "function", "function": {"name": "calc"}}]


def known(step_id: str, tokens: list[int], messages: int = 1, tools: Any = ()) -> Known:
    return Known(
        step_id=step_id, tokens=pack_tokens(tokens), message_count=messages, tools_digest=digest_of(list(tools))
    )


def test_the_longest_known_step_is_found() -> None:
    store = PrefixStore(1000, 4)
    for step_id, tokens in (("s1", [1, 2]), ("s2", [1, 2, 3, 4]), ("s3", [1, 9])):
        store.remember("t", known(step_id, tokens))
    found = store.find("t", pack_tokens([1, 2, 3, 4, 5]))
    assert found is not None
    assert found.step_id == "s2"


def test_a_part_of_a_token_is_no_prefix_and_trajectories_are_apart() -> None:
    store = PrefixStore(1000, 4)
    store.remember("t", known("s1", [1, 2]))
    assert store.find("t", pack_tokens([1])) is None
    assert store.find("t", pack_tokens([1, 3, 2])) is None
    assert store.find("other", pack_tokens([1, 2, 3])) is None


def test_only_what_is_new_is_stored() -> None:
    stored = shorten(pack_tokens([1, 2, 3, 4]), [USER, ANSWER, TOOL], TOOLS, known("s1", [1, 2, 3], 1, TOOLS))
    assert stored.prefix is not None
    assert (stored.prefix.step_id, stored.prefix.token_count) == ("s1", 3)
    assert stored.prefix.sha256 == tokens_digest(pack_tokens([1, 2, 3]))
    assert stored.prompt_tokens == pack_tokens([4])
    assert json.loads(stored.new_messages_json) == [TOOL]
    assert stored.tools_json is None


def test_without_a_known_step_all_is_stored() -> None:
    stored = shorten(pack_tokens([1, 2]), [USER], TOOLS, None)
    assert (stored.prefix, stored.prompt_tokens) == (None, pack_tokens([1, 2]))
    assert json.loads(stored.new_messages_json) == [USER]
    assert json.loads(stored.tools_json or "") == TOOLS


@pytest.mark.parametrize("messages", [[USER], [USER, USER, TOOL]])
def test_messages_that_do_not_go_on_from_the_answer_are_stored_whole(messages: list[Any]) -> None:
    stored = shorten(pack_tokens([1, 2, 3]), messages, [], known("s1", [1, 2], 1))
    assert stored.prefix is None
    assert json.loads(stored.new_messages_json) == messages


def test_tools_that_changed_are_stored() -> None:
    def tools_json(before: list[Any], after: list[Any]) -> str | None:
        return shorten(b"", [USER, ANSWER], after, known("s1", [], 1, before)).tools_json

    assert tools_json(TOOLS, TOOLS) is None
    assert tools_json([], []) is None
    assert tools_json(TOOLS, []) == "[]"
    assert json.loads(tools_json([], TOOLS) or "") == TOOLS


def test_memory_is_bounded_by_tokens_and_the_least_used_trajectory_goes_first() -> None:
    store = PrefixStore(max_tokens=6, max_steps=4)
    store.remember("old", known("s1", [1, 2, 3]))
    store.remember("used", known("s2", [1, 2, 3]))
    store.find("old", pack_tokens([1, 2, 3]))
    store.remember("new", known("s3", [1, 2]))
    assert store.token_count == 5
    assert store.find("used", pack_tokens([1, 2, 3, 4])) is None
    assert store.find("old", pack_tokens([1, 2, 3, 4])) is not None


def test_a_step_larger_than_the_memory_is_not_kept() -> None:
    store = PrefixStore(max_tokens=2, max_steps=4)
    store.remember("t", known("s1", [1, 2, 3]))
    assert store.token_count == 0


def test_steps_of_a_trajectory_are_bounded_and_forgotten() -> None:
    store = PrefixStore(max_tokens=100, max_steps=2)
    for number in range(5):
        store.remember("t", known(f"s{number}", [number, number]))
    assert store.token_count == 4
    store.forget("t")
    store.forget("t")
    assert store.token_count == 0


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 3), max_size=4), st.lists(st.integers(0, 3), min_size=1, max_size=4)))
)
def test_a_chain_resolves_to_the_prompts_that_were_sent(turns: list[tuple[list[int], list[int]]]) -> None:
    store, written, history, messages = PrefixStore(40, 2), {}, b"", [USER]
    for number, (added, response) in enumerate(turns):
        prompt = history + pack_tokens([9, *added])
        stored = shorten(prompt, messages, [], store.find("t", prompt))
        written[str(number)] = (stored, pack_tokens(response))
        earlier = b""
        if stored.prefix is not None:
            before, answered = written[stored.prefix.step_id]
            earlier = _resolve(written, before) + answered
            assert tokens_digest(earlier) == stored.prefix.sha256
        assert earlier + stored.prompt_tokens == prompt
        history = prompt + pack_tokens(response)
        sealed = Known(step_id=str(number), tokens=history, message_count=len(messages), tools_digest=None)
        store.remember("t", sealed)
        messages = [*messages, ANSWER, TOOL]


def _resolve(written: dict[str, Any], stored: Any) -> bytes:
    if stored.prefix is None:
        return bytes(stored.prompt_tokens)
    before, answered = written[stored.prefix.step_id]
    return _resolve(written, before) + bytes(answered) + bytes(stored.prompt_tokens)
