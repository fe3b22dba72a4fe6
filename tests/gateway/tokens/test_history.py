"""Equal digests: the same conversation, however it is written down."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clawstream.gateway.tokens.history import (
    NO_HISTORY,
    answer_message,
    digests,
    has_media,
    history_of,
    last_answer,
    own_prompt,
    settings_digest,
    tools_digest,
)

USER = {"role": "user", "content": "hi"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
ARGUMENTS = st.dictionaries(st.text(max_size=3), JSON, max_size=3)
TEXT = st.text(max_size=5)


def written_again(text: str, calls: list[tuple[str, Any]], draw: Any) -> dict[str, Any]:
    """An answer as some library may repeat it."""
    padded = draw(st.sampled_from(["", " ", "\n"])) + text + draw(st.sampled_from(["", "\n\n"]))
    message: dict[str, Any] = {"role": "assistant", "content": padded}
    if draw(st.booleans()):
        message["content"] = [{"type": "text", "text": padded}]
    if not text and draw(st.booleans()):
        message["content"] = None
    if calls or draw(st.booleans()):
        message["tool_calls"] = [
            {
                "id": draw(TEXT),
                "type": "function",
                "function": {
                    "name": name,
                    "arguments": json.dumps(arguments, indent=draw(st.sampled_from([None, 2])), ensure_ascii=False),
                },
            }
            for name, arguments in calls
        ] or None
    return message | draw(st.fixed_dictionaries({}, optional={"reasoning": TEXT, "refusal": st.none()}))


@given(TEXT.map(str.strip), st.lists(st.tuples(TEXT, ARGUMENTS), max_size=2), st.data())
def test_an_answer_is_recognised_however_it_is_written_again(text: str, calls: list[Any], data: Any) -> None:
    sampled = [{"id": "c", "function": {"name": name, "arguments": json.dumps(value)}} for name, value in calls]
    again = written_again(text, calls, data.draw)
    assert digests([USER, answer_message(text, sampled)]) == digests([USER, again])


@given(st.lists(st.sampled_from("abc"), max_size=5), st.lists(st.sampled_from("abc"), max_size=5))
def test_digests_are_equal_only_for_equal_messages(one: list[str], other: list[str]) -> None:
    def digest(words: list[str]) -> bytes:
        return digests([{"role": "user", "content": word} for word in words])[-1]

    assert (digest(one) == digest(other)) == (one == other)


def test_a_digest_goes_on_from_another() -> None:
    more = {"role": "user", "content": "more"}
    whole = digests([USER, more])
    assert digests([more], whole[1])[-1] == whole[-1]
    assert whole[0] == NO_HISTORY


def test_what_a_user_says_counts_to_the_letter() -> None:
    def digest(content: Any, **more: Any) -> bytes:
        return digests([{"role": "user", "content": content} | more])[-1]

    assert digest("a") != digest("a ")
    assert (
        digest("a") == digest([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]) == digest(["a"])
    )
    assert digest("ab") != digest(["a", "b"])
    assert digest("a") == digest("a", name=None)
    assert digest("a") != digest("a", name="b")


def test_calls_that_are_no_json_count_as_they_are_written() -> None:
    def digest(arguments: Any) -> bytes:
        call = {"function": {"name": "f", "arguments": arguments}}
        return digests([{"role": "assistant", "tool_calls": [call]}])[-1]

    assert digest("{oops") == digest("{oops ") != digest("{oop")
    assert digest("") == digest(None) == digest({}) == digest("{}")
    assert digests([{"role": "assistant", "tool_calls": ["odd"]}])


def test_media_and_prompts_of_their_own_have_no_history() -> None:
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
    assert has_media([USER, image])
    assert not has_media([USER, {"role": "user", "content": [{"type": "text", "text": "a"}, "b"]}])
    assert history_of([image], answer_message("", ()), {}) == NO_HISTORY
    assert history_of([], answer_message("", ()), {}) == NO_HISTORY
    assert history_of([USER], answer_message("", ()), {"truncate_prompt_tokens": 5}) == NO_HISTORY
    assert (own_prompt({"echo": False}), own_prompt({"echo": True})) == (None, "echo")


def test_settings_are_those_that_shape_a_prompt() -> None:
    assert settings_digest({"temperature": 1}) == settings_digest({"seed": 3, "reasoning_effort": None})
    assert settings_digest({"reasoning_effort": "low"}) != settings_digest({})
    assert tools_digest([]) is None
    assert tools_digest([{"a": 1, "b": 2}]) == tools_digest([{"b": 2, "a": 1}])


def test_the_last_answer_is_found() -> None:
    assert last_answer([USER, {"role": "assistant"}, USER]) == 1
    assert last_answer([USER]) is None
