"""Claw-R1's ``/generate``: token ids in, token ids out, as its code has it; or messages in, as its documents have it.

Invariant: the ids and log-probabilities of the answer are those that the node sampled, one for each other::

    {"prompt_ids": [1, 2], "sampling_params": {"temperature": 0.7}}
    {"token_ids": [7, 9], "log_probs": [-0.1, -0.5], "stop_reason": "stop"}

    {"messages": [...], "max_tokens": 64}
    {"response_text": "hi", "response_ids": [7, 9], "prompt_ids": [1, 2], "log_probs": [...], "stop_reason": "stop"}
"""

from typing import Annotated, Any

import msgspec
from msgspec.structs import replace

from clawstream.gateway.chat.answers import Answers
from clawstream.gateway.chat.chunks import Chunk, TokenId
from clawstream.gateway.chat.request import ChatRequest, read_chat
from clawstream.gateway.dialects.completions import read_completion
from clawstream.gateway.errors import UPSTREAM, ApiError, invalid
from clawstream.gateway.reading import shaped

_OWN = frozenset({"prompt_ids", "messages", "sampling_params", "image_data", "video_data"})
_CAPTURED = frozenset({"logprobs", "top_logprobs", "return_token_ids", "stream_options"})  # always, or nowhere to show


class _Generate(msgspec.Struct):
    prompt_ids: Annotated[list[TokenId], msgspec.Meta(min_length=1)] | None = None
    messages: list[dict[str, Any]] | None = None
    sampling_params: dict[str, Any] | None = None
    image_data: Any = None
    video_data: Any = None


class GenerateExchange:
    """One generation."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.asked: ChatRequest = _read(body)
        self.session_id: str | None = None

    def frames(self, _: bytes, __: Chunk) -> bytes:
        """Nothing: it is never streamed."""
        return b""

    def end(self, answers: Answers) -> bytes:
        """The whole."""
        return self.whole(answers)

    def whole(self, answers: Answers) -> bytes:
        """The tokens. Raises ``ApiError`` 502 for an answer without them."""
        answer = answers.first
        if not answer.token_ids:
            raise ApiError(502, "the answer came without token ids", kind=UPSTREAM, code="no_token_ids")
        said = {"log_probs": answer.logprobs, "stop_reason": answer.finish_reason}
        if not self.asked.messages:
            return msgspec.json.encode({"token_ids": answer.token_ids} | said)
        ids = {"response_ids": answer.token_ids, "prompt_ids": answer.prompt_ids}
        return msgspec.json.encode({"response_text": answer.text} | ids | said)

    def broken(self, error: ApiError) -> bytes:
        """The error."""
        return error.body


def _read(body: dict[str, Any]) -> ChatRequest:
    asked = shaped(body, _Generate)
    for name in ("image_data", "video_data"):
        if body.get(name):
            raise invalid(f"{name} is not taken here: send media as content parts of a chat completion", name)
    others = {key: value for key, value in body.items() if key not in _OWN} | (asked.sampling_params or {})
    if others.get("stream") or others.get("n") not in (None, 1):
        raise invalid("stream and n: a generation is one whole answer", "stream" if others.get("stream") else "n")
    plain = {key: value for key, value in others.items() if key not in _CAPTURED and key not in ("stream", "n")}
    if asked.prompt_ids is None:
        return read_chat(plain | {"messages": _messages(asked)})
    if asked.messages is not None:
        raise invalid("prompt_ids and messages: one of them is the prompt, not both", "messages")
    request = read_completion(plain | {"prompt": asked.prompt_ids})
    has_limit = request.body.get("max_tokens") is not None
    return request if has_limit else replace(request, room_after=len(asked.prompt_ids))


def _messages(asked: _Generate) -> list[dict[str, Any]]:
    if asked.messages is None:
        raise invalid("prompt_ids: a prompt of token ids is needed", "prompt_ids")
    return asked.messages
