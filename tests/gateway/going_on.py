"""A fake node that goes on from given tokens as ours does, with a made-up tokenizer and template."""

from typing import Any

from clawstream.schemas import unpack_tokens
from clawstream.schemas.continuing import CONTINUES, NOT_CONTINUED, Continues
from tests.gateway.fake_node import DONE, FakeNode
from tests.gateway.samples import answer_data, chunk_data

END = 2
_NUMBERS: dict[str, int] = {}


def token(word: str) -> int:
    """The same word has the same id, and never a small one."""
    return _NUMBERS.setdefault(word, 1000 + len(_NUMBERS))


def rendered(messages: list[dict[str, Any]]) -> list[int]:
    """Each message as its role, its text and an end; answers never as they were sampled."""
    ids = []
    for message in messages:
        ids += [token(message["role"]), token(f"{message.get('content')}{message.get('tool_calls')}"), END]
    return ids


def a_node(refuses: str | None = None) -> FakeNode:
    """A node whose n-th answer is "answer n", sampled as tokens that its text does not give."""
    node = FakeNode()

    def script(body: dict[str, Any]) -> list[Any]:
        number, messages = len(node.bodies), body["messages"]
        prompt = [*rendered(messages), token("assistant")]
        if CONTINUES in body and refuses is None:
            asked = Continues.from_json(body[CONTINUES])
            new = rendered(messages[asked.answer_index + 1 :])
            prompt = [*unpack_tokens(asked.tokens).tolist(), *new, token("assistant")]
        response = [token(f"sampled {number}a"), token(f"sampled {number}b"), END]
        chunks = answer_data(prompt, response, text=f"answer {number}")
        if refuses is not None and CONTINUES in body:
            chunks.append(chunk_data() | {"choices": [], NOT_CONTINUED: refuses})
        return [*chunks, DONE]

    node.script = script
    return node
