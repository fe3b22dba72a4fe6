from clawstream.dataset.exports.chat import chat
from tests.dataset.builders import a_row, talk


def test_a_conversation_with_its_tools() -> None:
    row = a_row(messages_json=talk("hi", "hello"), tools_json='[{"type": "function"}]')
    (said,) = chat(row)
    assert said["messages"] == [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
    assert said["tools"] == [{"type": "function"}]
    assert (said["reward"], said["trajectory_id"]) == (1.0, "t1")
    assert "tools" not in next(chat(a_row()))


def test_prompts_of_tokens_alone_are_no_conversation() -> None:
    assert list(chat(a_row(messages_json='[{"role": "assistant", "content": "x"}]'))) == []
