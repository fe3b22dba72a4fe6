"""OpenAI's Chat Completions: a node's own dialect, without what we alone asked for."""

from typing import Any

import msgspec

from clawstream.gateway.chat.answer import Answer
from clawstream.gateway.chat.answers import Answers
from clawstream.gateway.chat.chunks import Chunk
from clawstream.gateway.chat.request import ChatRequest, Wants, read_chat
from clawstream.gateway.chat.sse import event
from clawstream.gateway.chat.view import visible
from clawstream.gateway.errors import ApiError

DONE = event(b"[DONE]")


class ChatExchange:
    """One chat completion."""

    def __init__(self, body: dict[str, Any]) -> None:
        self.asked: ChatRequest = read_chat(body)
        self.session_id: str | None = None

    def frames(self, data: bytes, _: Chunk) -> bytes:
        """The chunk as it came, less our fields."""
        shown = visible(data, self.asked.wants, self._session()) if self.asked.stream else None
        return b"" if shown is None else event(shown)

    def end(self, _: Answers) -> bytes:
        """``[DONE]``."""
        return DONE

    def whole(self, answers: Answers) -> bytes:
        """The ``chat.completion``."""
        return msgspec.json.encode(completion(answers, self.asked.wants) | self._session())

    def broken(self, error: ApiError) -> bytes:
        """The error, and no ``[DONE]``."""
        return event(error.body)

    def _session(self) -> dict[str, str]:
        """OpenClaw-RL's field, for a caller that has named a session."""
        return {} if self.session_id is None else {"session_id": self.session_id}


def completion(answers: Answers, wants: Wants) -> dict[str, Any]:
    """The whole ``chat.completion``, as if it had not been streamed."""
    choices = [_choice(index, answer, wants) for index, answer in enumerate(answers.each)]
    whole = whole_answer("chat.completion", answers, choices)
    if wants.token_ids:
        whole["prompt_token_ids"] = answers.first.prompt_ids
    return whole


def whole_answer(kind: str, answers: Answers, choices: list[dict[str, Any]]) -> dict[str, Any]:
    """An answer that is not streamed, as OpenAI has it around the ``choices`` of either of its completions."""
    first = answers.first
    whole: dict[str, Any] = {
        "id": first.id,
        "object": kind,
        "created": first.created,
        "model": first.model,
        "choices": choices,
        "usage": answers.usage,
    }
    return whole if first.system_fingerprint is None else whole | {"system_fingerprint": first.system_fingerprint}


def _choice(index: int, answer: Answer, wants: Wants) -> dict[str, Any]:
    entries = [entry for piece in answer.logprob_pieces for entry in piece.content or ()]
    choice: dict[str, Any] = {
        "index": index,
        "message": _message(answer),
        "logprobs": {"content": msgspec.to_builtins(entries)} if wants.logprobs else None,
        "finish_reason": answer.finish_reason,
        "stop_reason": answer.stop_reason,
    }
    return choice | ({"token_ids": answer.token_ids} if wants.token_ids else {})


def _message(answer: Answer) -> dict[str, Any]:
    calls = answer.tool_messages
    content = answer.text if answer.content or not calls else None
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": "".join(answer.refusal) or None}
    if answer.reasoning_key is not None:
        message[answer.reasoning_key] = answer.reasoning_text
    if calls:
        message["tool_calls"] = calls
    return message
