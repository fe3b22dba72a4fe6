"""An answer as its chunks arrive, and the whole completion made from them.

Invariant: token ids and log-probabilities are kept as the node sent them, in order; nothing is repaired.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from clawstream.gateway.chat_request import Wants
from clawstream.gateway.chunks import Choice, Chunk, Delta, ReportedSpan, TokenLogprob, ToolCallDelta

_NO_NUMBER = float("nan")  # stands for a log-probability that the node left out; the integrity check finds it


@dataclass(slots=True, kw_only=True)
class ToolCall:
    """A tool call put together from its pieces."""

    id: str = ""
    type: str = "function"
    name: str = ""
    arguments: str = ""

    def message(self) -> dict[str, Any]:
        """As OpenAI's message has it."""
        return {"id": self.id, "type": self.type, "function": {"name": self.name, "arguments": self.arguments}}


@dataclass(slots=True, kw_only=True)
class Answer:
    """All that the node has said so far."""

    id: str = ""
    created: int = 0
    model: str = ""
    system_fingerprint: str | None = None
    content: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    reasoning_key: str | None = None  # "reasoning" or "reasoning_content", as the node names it
    refusal: list[str] = field(default_factory=list)
    tool_calls: dict[int, ToolCall] = field(default_factory=dict)
    finish_reason: str | None = None
    stop_reason: int | str | None = None
    usage: dict[str, Any] | None = None
    prompt_ids: list[int] | None = None
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)  # nats
    logprob_entries: list[TokenLogprob] = field(default_factory=list)  # kept only for a client that wants them
    reported_spans: list[ReportedSpan] | None = None
    not_continued: str | None = None  # why the node did not go on from the tokens that it was given
    first_token_at: datetime | None = None
    last_token_at: datetime | None = None
    keep_entries: bool = False

    @property
    def text(self) -> str:
        """The content."""
        return "".join(self.content)

    @property
    def reasoning_text(self) -> str | None:
        """The reasoning; ``None`` where the node gave none."""
        return "".join(self.reasoning) if self.reasoning_key else None

    @property
    def tool_messages(self) -> list[dict[str, Any]]:
        """Tool calls by index."""
        return [self.tool_calls[index].message() for index in sorted(self.tool_calls)]

    def add(self, chunk: Chunk, at: datetime) -> None:
        """Take in ``chunk``, which arrived ``at`` that time."""
        self.id, self.created, self.model = (
            chunk.id or self.id,
            chunk.created or self.created,
            chunk.model or self.model,
        )
        self.system_fingerprint = chunk.system_fingerprint or self.system_fingerprint
        if chunk.prompt_token_ids is not None:
            self.prompt_ids = chunk.prompt_token_ids
        if chunk.usage is not None:
            self.usage = chunk.usage
        self.not_continued = chunk.clawstream_not_continued or self.not_continued
        self._add_spans(chunk.weight_versions)
        for choice in chunk.choices:
            self._add_choice(choice, at)

    def _add_choice(self, choice: Choice, at: datetime) -> None:
        self._add_delta(choice.delta)
        self._add_spans(choice.weight_versions)
        if choice.token_ids:
            self.token_ids += choice.token_ids
            self.first_token_at, self.last_token_at = self.first_token_at or at, at
        for entry in (choice.logprobs and choice.logprobs.content) or ():
            self.logprobs.append(_NO_NUMBER if entry.logprob is None else entry.logprob)
            if self.keep_entries:
                self.logprob_entries.append(entry)
        self.finish_reason = choice.finish_reason or self.finish_reason
        self.stop_reason = self.stop_reason if choice.stop_reason is None else choice.stop_reason

    def _add_spans(self, spans: list[ReportedSpan] | None) -> None:
        if spans is not None:
            self.reported_spans = spans

    def _add_delta(self, delta: Delta) -> None:
        if delta.content:
            self.content.append(delta.content)
        if delta.refusal:
            self.refusal.append(delta.refusal)
        reasoning = delta.reasoning or delta.reasoning_content
        if reasoning:
            self.reasoning_key = "reasoning" if delta.reasoning else "reasoning_content"
            self.reasoning.append(reasoning)
        for piece in delta.tool_calls or ():
            self._add_tool_call(piece)

    def _add_tool_call(self, piece: ToolCallDelta) -> None:
        call = self.tool_calls.setdefault(piece.index, ToolCall())
        call.id, call.type = call.id or piece.id or "", piece.type or call.type
        if piece.function is not None:
            call.name += piece.function.name or ""
            call.arguments += piece.function.arguments or ""


def completion(answer: Answer, wants: Wants) -> dict[str, Any]:
    """The whole ``chat.completion``, as if it had not been streamed."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": _message(answer),
        "logprobs": {"content": msgspec.to_builtins(answer.logprob_entries)} if wants.logprobs else None,
        "finish_reason": answer.finish_reason,
        "stop_reason": answer.stop_reason,
    }
    whole: dict[str, Any] = {
        "id": answer.id,
        "object": "chat.completion",
        "created": answer.created,
        "model": answer.model,
        "choices": [choice],
        "usage": answer.usage,
    }
    if answer.system_fingerprint is not None:
        whole["system_fingerprint"] = answer.system_fingerprint
    if wants.token_ids:
        choice["token_ids"], whole["prompt_token_ids"] = answer.token_ids, answer.prompt_ids
    return whole


def _message(answer: Answer) -> dict[str, Any]:
    calls = answer.tool_messages
    content = answer.text if answer.content or not calls else None
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": "".join(answer.refusal) or None}
    if answer.reasoning_key is not None:
        message[answer.reasoning_key] = answer.reasoning_text
    if calls:
        message["tool_calls"] = calls
    return message
