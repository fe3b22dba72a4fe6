"""An answer as its chunks arrive.

Invariant: token ids and log-probabilities are kept as the node sent them, in order; nothing is repaired.
"""

from datetime import datetime
from typing import Any

import msgspec

from clawstream.gateway.chat.chunks import Choice, Chunk, Delta, Logprobs, ReportedSpan, ToolCallDelta

_NO_NUMBER = float("nan")  # stands for a log-probability that the node left out; the integrity check finds it


class ToolCall(msgspec.Struct, kw_only=True):
    """A tool call put together from its pieces."""

    id: str = ""
    type: str = "function"
    name: str = ""
    arguments: str = ""

    def message(self) -> dict[str, Any]:
        """As OpenAI's message has it."""
        return {"id": self.id, "type": self.type, "function": {"name": self.name, "arguments": self.arguments}}


class Answer(msgspec.Struct, kw_only=True):
    """All that the node has said so far."""

    id: str = ""
    created: int = 0
    model: str = ""
    system_fingerprint: str | None = None
    content: list[str] = []
    reasoning: list[str] = []
    reasoning_key: str | None = None  # "reasoning" or "reasoning_content", as the node names it
    refusal: list[str] = []
    tool_calls: dict[int, ToolCall] = {}
    finish_reason: str | None = None
    stop_reason: int | str | None = None
    usage: dict[str, Any] | None = None
    prompt_ids: list[int] | None = None
    token_ids: list[int] = []
    logprobs: list[float] = []  # nats
    logprob_pieces: list[Logprobs] = []  # kept only for a client that wants them
    reported_spans: list[ReportedSpan] | None = None
    not_continued: str | None = None  # why the node did not go on from the tokens that it was given
    first_token_at: datetime | None = None
    last_token_at: datetime | None = None
    keep_logprobs: bool = False

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
        if not self.id:  # each chunk says the same
            self.id, self.created, self.model = chunk.id, chunk.created, chunk.model
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
        if choice.text:
            self.content.append(choice.text)
        if choice.prompt_token_ids is not None:
            self.prompt_ids = choice.prompt_token_ids
        self._add_spans(choice.weight_versions)
        if choice.token_ids:
            self.token_ids += choice.token_ids
            self.first_token_at, self.last_token_at = self.first_token_at or at, at
        if choice.logprobs is not None:
            self._add_logprobs(choice.logprobs)
        self.finish_reason = choice.finish_reason or self.finish_reason
        self.stop_reason = self.stop_reason if choice.stop_reason is None else choice.stop_reason

    def _add_logprobs(self, piece: Logprobs) -> None:
        said = piece.token_logprobs if piece.content is None else [entry.logprob for entry in piece.content]
        self.logprobs += [_NO_NUMBER if logprob is None else logprob for logprob in said or ()]
        if self.keep_logprobs:
            self.logprob_pieces.append(piece)

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
