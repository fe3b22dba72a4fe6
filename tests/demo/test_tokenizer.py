"""The tokenizer and its template: digits apart, round trips, and a next prompt that begins with the turns before it."""

import json
import random
from typing import Any

import pytest

from clawstream.demo.agent import REMINDER, TOOLS
from clawstream.demo.demonstrations import Mixture, demonstrate
from clawstream.demo.tokenizer import CALL_END, CALL_START, END, PAD, START, make_tokenizer

QUESTION = "State the final answer to the following arithmetic problem: 43 + 14 ="


def demonstrations(count: int) -> list[list[dict[str, Any]]]:
    rng = random.Random(0)
    return [demonstrate(rng, Mixture()) for _ in range(count)]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    template = make_tokenizer([], vocab_size=0)
    texts = [template.apply_chat_template(messages, tools=TOOLS, tokenize=False) for messages in demonstrations(500)]
    return make_tokenizer(texts, vocab_size=512)


def ids(tokenizer: Any, text: str) -> list[int]:
    token_ids: list[int] = tokenizer(text)["input_ids"]
    return token_ids


def prompt(tokenizer: Any, messages: list[dict[str, Any]]) -> str:
    text: str = tokenizer.apply_chat_template(messages, tools=TOOLS, tokenize=False, add_generation_prompt=True)
    return text


@pytest.mark.parametrize(
    "text", [QUESTION, "", "Grüße, 世界!\n\t\x00", "  two  spaces 007 ", f"{CALL_START}\n{CALL_END}"]
)
def test_text_comes_back_as_it_was(tokenizer: Any, text: str) -> None:
    assert tokenizer.decode(ids(tokenizer, text)) == text


def test_each_digit_and_each_newline_is_a_token(tokenizer: Any) -> None:
    tokens = [tokenizer.decode([token_id]) for token_id in ids(tokenizer, "1234\n\n-56 * 78")]
    assert tokens[:6] == ["1", "2", "3", "4", "\n", "\n"]
    assert not any(len(token) > 1 for token in tokens if any(character.isdigit() for character in token))


def test_the_fixed_part_of_a_question_is_short(tokenizer: Any) -> None:
    assert len(ids(tokenizer, QUESTION)) < 10


def test_no_token_crosses_a_newline(tokenizer: Any) -> None:
    pieces = [tokenizer.decode([token_id]) for token_id in range(len(tokenizer))]
    assert [piece for piece in pieces if "\n" in piece] == ["\n"]


def test_turn_marks_are_special_and_tool_marks_are_not(tokenizer: Any) -> None:
    text = f"{START}{CALL_START}x{CALL_END}{END}{PAD}"
    assert tokenizer.decode(ids(tokenizer, text), skip_special_tokens=True) == f"{CALL_START}x{CALL_END}"
    assert len(ids(tokenizer, text)) == 6
    assert (tokenizer.eos_token, tokenizer.pad_token) == (END, PAD)


def test_the_rendered_conversation(tokenizer: Any) -> None:
    assert prompt(tokenizer, CONVERSATION[:3]) == (
        f"{START}tools\ncalc(expression)\n{END}\n"
        f"{START}user\n{QUESTION}{END}\n"
        f"{START}assistant\n{CALL_START}\n"
        '{"name": "calc", "arguments": {"expression": "43 + 14"}}\n'
        f"{CALL_END}{END}\n"
        f"{START}tool\n57{END}\n"
        f"{START}assistant\n"
    )


def test_without_tools_none_are_rendered(tokenizer: Any) -> None:
    text = tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    assert text == f"{START}user\nhi{END}\n"


def test_a_tool_without_parameters_is_rendered(tokenizer: Any) -> None:
    tools = [{"type": "function", "function": {"name": "now"}}]
    text = tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tools=tools, tokenize=False)
    assert "now()\n" in text


def called(arguments: Any) -> dict[str, Any]:
    return {
        "role": "assistant",
        "tool_calls": [{"type": "function", "function": {"name": "calc", "arguments": arguments}}],
    }


CONVERSATION = [
    {"role": "user", "content": QUESTION},
    called('{"expression": "43 + 14"}'),
    {"role": "tool", "tool_call_id": "x", "content": "57"},
    {"role": "assistant", "content": "57"},
]


def test_arguments_as_text_and_as_a_dict_render_the_same(tokenizer: Any) -> None:
    assert prompt(tokenizer, [called({"expression": "43 + 14"})]) == prompt(
        tokenizer, [called('{"expression": "43 + 14"}')]
    )


REPLIES = [
    (
        called({"expression": "43 + 14"}),
        f'{CALL_START}\n{{"name": "calc", "arguments": {{"expression": "43 + 14"}}}}\n{CALL_END}',
    ),
    ({"role": "assistant", "content": "57", "tool_calls": []}, "57"),
    ({"role": "assistant", "content": "I do not know."}, "I do not know."),
    ({"role": "assistant", "content": f"{CALL_START}\n{{broken"}, f"{CALL_START}\n{{broken"),
    (
        {"role": "assistant", "content": "x"} | called({"expression": "1"}),
        f'x{CALL_START}\n{{"name": "calc", "arguments": {{"expression": "1"}}}}\n{CALL_END}',
    ),
    ({"role": "assistant", "content": ""}, ""),
]


@pytest.mark.parametrize(("message", "sampled"), REPLIES)
def test_the_next_prompt_begins_with_the_prompt_and_the_reply(
    tokenizer: Any, message: dict[str, Any], sampled: str
) -> None:
    question = {"role": "user", "content": QUESTION}
    earlier = ids(tokenizer, prompt(tokenizer, [question])) + ids(tokenizer, sampled + END)
    reminder = {"role": "user", "content": REMINDER}
    assert ids(tokenizer, prompt(tokenizer, [question, message, reminder]))[: len(earlier)] == earlier


def test_every_demonstration_grows_by_whole_tokens(tokenizer: Any) -> None:
    for messages in demonstrations(100):
        whole = ids(tokenizer, tokenizer.apply_chat_template(messages, tools=TOOLS, tokenize=False))
        for turn, message in enumerate(messages):
            if message["role"] == "assistant":
                earlier = ids(tokenizer, prompt(tokenizer, messages[:turn]))
                assert whole[: len(earlier)] == earlier


def test_the_same_texts_make_the_same_tokenizer(tokenizer: Any) -> None:
    texts = [json.dumps(messages) for messages in demonstrations(100)]
    first, second = (make_tokenizer(texts, vocab_size=400).backend_tokenizer.to_str() for _ in range(2))
    assert first == second
