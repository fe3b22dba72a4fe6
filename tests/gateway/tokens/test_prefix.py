"""What is stored of a prompt, resolved along its chain, is the prompt."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.tokens.history import digests
from clawstream.gateway.tokens.prefix import Known, PrefixStore, known_of, shorten
from clawstream.schemas import pack_tokens, tokens_digest

USER = {"role": "user", "content": "hi"}
ANSWER = {"role": "assistant", "content": "hello"}
TOOL = {"role": "tool", "tool_call_id": "c", "content": "57"}
TOOLS = [{"type": "function", "function": {"name": "calc"}}]


def known(step_id: str, tokens: list[int], messages: Any = (USER,), tools: Any = (), answer: Any = ANSWER) -> Known:
    return known_of(step_id, pack_tokens(tokens), list(messages), answer, list(tools), {}, "policy")


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
    stored = shorten(pack_tokens([1, 2, 3, 4]), [USER, ANSWER, TOOL], TOOLS, known("s1", [1, 2, 3], [USER], TOOLS))
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
    stored = shorten(pack_tokens([1, 2, 3]), messages, [], known("s1", [1, 2]))
    assert stored.prefix is None
    assert json.loads(stored.new_messages_json) == messages


def test_a_prompt_of_token_ids_goes_on_by_its_tokens() -> None:
    stored = shorten(pack_tokens([1, 2, 3]), [], [], known("s1", [1, 2], []))
    assert (stored.prefix and stored.prefix.token_count, stored.prompt_tokens) == (2, pack_tokens([3]))
    assert json.loads(stored.new_messages_json) == []


def test_tools_that_changed_are_stored() -> None:
    def tools_json(before: list[Any], after: list[Any]) -> str | None:
        return shorten(b"", [USER, ANSWER], after, known("s1", [], [USER], before)).tools_json

    assert tools_json(TOOLS, TOOLS) is None
    assert tools_json([], []) is None
    assert tools_json(TOOLS, []) == "[]"
    assert json.loads(tools_json([], TOOLS) or "") == TOOLS


def test_memory_is_bounded_by_tokens_and_the_least_used_trajectory_goes_first() -> None:
    store = PrefixStore(max_tokens=1000, max_steps=4)
    store.remember("old", known("s1", [1] * 400))
    store.remember("used", known("s2", [1] * 400))
    store.find("old", pack_tokens([1] * 400))
    store.remember("new", known("s3", [1] * 300))
    assert store.token_count == 700
    assert store.find("used", pack_tokens([1] * 401)) is None
    assert store.find("old", pack_tokens([1] * 401)) is not None


def test_steps_of_few_tokens_are_bounded_too() -> None:
    store = PrefixStore(max_tokens=1000, max_steps=4)
    for number in range(100):
        store.remember(f"t{number}", known("s", [1]))
    assert store.token_count <= 1000
    assert sum(len(store.steps(f"t{number}")) for number in range(100)) == 3


def test_a_step_larger_than_the_memory_is_not_kept() -> None:
    store = PrefixStore(max_tokens=2, max_steps=4)
    store.remember("t", known("s1", [1, 2, 3]))
    assert store.token_count == 0


def test_of_a_trajectorys_steps_the_one_used_longest_ago_goes_first() -> None:
    store = PrefixStore(max_tokens=10_000, max_steps=2)
    store.remember("t", known("s1", [1]))
    store.remember("t", known("s2", [2]))
    store.find("t", pack_tokens([1, 5]))
    store.remember("t", known("s3", [3]))
    assert [step.step_id for step in store.steps("t")] == ["s1", "s3"]
    store.remember("t", known("s3", [3]))
    assert store.token_count == 2 * 256
    store.forget("t")
    store.forget("t")
    assert (store.token_count, store.steps("t"), store.get("t", "s1")) == (0, [], None)


def test_messages_match_only_with_the_answer_in_its_place() -> None:
    store = PrefixStore(10_000, 4)
    first, second = known("s1", [1]), known("s2", [1, 2], [USER, ANSWER, TOOL])
    store.remember("t", first)
    store.remember("t", second)
    assert store.match("t", digests([USER, ANSWER, TOOL, ANSWER, USER])) == [second, first]
    assert store.match("t", digests([USER, ANSWER, USER])) == [first]
    assert store.match("t", digests([TOOL, USER, ANSWER])) == []
    assert store.match("other", digests([USER, ANSWER])) == []


@given(
    st.lists(st.tuples(st.lists(st.integers(0, 3), max_size=4), st.lists(st.integers(0, 3), min_size=1, max_size=4)))
)
def test_a_chain_resolves_to_the_prompts_that_were_sent(turns: list[tuple[list[int], list[int]]]) -> None:
    store, written, history, messages = PrefixStore(600, 2), {}, b"", [USER]
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
        store.remember("t", known_of(str(number), history, messages, ANSWER, [], {}, "policy"))
        messages = [*messages, ANSWER, TOOL]


def _resolve(written: dict[str, Any], stored: Any) -> bytes:
    if stored.prefix is None:
        return bytes(stored.prompt_tokens)
    before, answered = written[stored.prefix.step_id]
    return _resolve(written, before) + bytes(answered) + bytes(stored.prompt_tokens)
