"""A spliced prompt begins with the earlier tokens and goes on as the template would, for templates of several kinds."""

from typing import Any

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.rollout.splice import closes, opening_messages, splice, tail_messages

END = 1
PLAIN = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content or '' }}"
    "{% for c in m.tool_calls or [] %}[{{ c.function.name }}]{% endfor %}~\n{% endfor %}"
)
DEFAULT_SYSTEM = "{% if messages[0].role != 'system' %}<system>You help.~\n{% endif %}" + PLAIN
WITH_TOOLS = "{% if tools %}<system>{{ tools }}~\n{% endif %}" + PLAIN
DROPS_REASONING = (  # as Qwen3's: an empty thought before the last answer alone
    "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' and loop.last %}<think></think>{% endif %}"
    "{{ m.content or '' }}~\n{% endfor %}"
)
TEMPLATES = {
    "plain": PLAIN,
    "default system": DEFAULT_SYSTEM,
    "tools": WITH_TOOLS,
    "drops reasoning": DROPS_REASONING,
}
CONTENT = st.text(alphabet="ab~<>\n ", max_size=6)  # an end spelled out, as a user or a model may do
NEW = st.lists(st.builds(dict, role=st.sampled_from(["user", "tool"]), content=CONTENT), max_size=3)


def render(template: str, messages: list[Any], generation: bool = True, tools: Any = None) -> list[int]:
    """One token a character; ``~`` ends a turn."""
    text = jinja2.Template(template).render(messages=messages, tools=tools) + ("<assistant>" if generation else "")
    return [END if letter == "~" else ord(letter) for letter in text]


def spliced(template: str, earlier: list[int], messages: list[Any], answer_index: int, tools: Any = None) -> list[int]:
    opening = render(template, opening_messages(), generation=False, tools=tools)
    tail = render(template, tail_messages(messages, answer_index), tools=tools)
    return splice(earlier, opening, tail, frozenset({END}))


@given(
    st.sampled_from(sorted(TEMPLATES)),
    st.lists(st.integers(10, 99), max_size=5),
    CONTENT,
    st.none() | st.just([{"id": "c", "function": {"name": "calc", "arguments": '{"e": "~"}'}}]),
    NEW,
    st.none() | st.just(["calc ~ "]),
)
def test_earlier_tokens_never_change_and_new_ones_are_the_templates(
    kind: str, earlier: list[int], text: str, calls: Any, new: list[Any], tools: Any
) -> None:
    template = TEMPLATES[kind]
    answer = {"role": "assistant", "content": text, "tool_calls": calls, "reasoning": "~~"}
    messages = [{"role": "user", "content": "hi~"}, answer, *new]
    expected = render(PLAIN, new)
    ended = [*earlier, END]
    assert spliced(template, ended, messages, 1, tools) == [*ended, ord("\n"), *expected]
    cut = [*earlier, 5]  # by a stop string: the template's end comes between
    assert spliced(template, cut, messages, 1, tools) == [*cut, END, ord("\n"), *expected]


@given(st.lists(st.tuples(st.lists(st.integers(10, 99), max_size=4), NEW), max_size=6))
def test_over_turns_each_prompt_begins_with_all_of_the_one_before(turns: list[tuple[list[int], list[Any]]]) -> None:
    messages: list[Any] = [{"role": "user", "content": "hi"}]
    prompt = render(DEFAULT_SYSTEM, messages)
    for sampled, new in turns:
        before = [*prompt, *sampled, END]
        messages = [*messages, {"role": "assistant", "content": "x"}, *new]
        prompt = spliced(DEFAULT_SYSTEM, before, messages, len(messages) - 1 - len(new))
        assert prompt[: len(before)] == before


def test_a_template_that_moves_earlier_text_is_not_spliced() -> None:
    template = (
        "{% for m in messages %}{% if loop.last %}{{ tools }}{% endif %}<{{ m.role }}>{{ m.content }}~{% endfor %}"
    )
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": "b"},
    ]
    with pytest.raises(ValueError, match="differently once others follow"):
        spliced(template, [END], messages, 1, tools="T")


def test_a_template_that_ends_answers_otherwise_is_told_apart() -> None:
    opening, answer = opening_messages(), {"role": "assistant", "content": "a"}
    ids = [render(PLAIN, messages, generation=False) for messages in (opening, [*opening, answer])]
    assert closes(*ids, frozenset({END}))
    assert not closes(*ids, frozenset({2}))


def test_a_template_without_ends_is_not_spliced() -> None:
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "a"}]
    with pytest.raises(ValueError, match="no token that ends a turn"):
        spliced("{% for m in messages %}{{ m.role }}{% endfor %}", [END], messages, 1)


@pytest.mark.parametrize("index", [0, 2])
def test_what_is_no_answer_is_refused(index: int) -> None:
    with pytest.raises(ValueError, match=f"message {index} of 2 is not the assistant's"):
        tail_messages([{"role": "user"}, {"role": "assistant"}], index)
