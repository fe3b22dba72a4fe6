"""An answer as parts in order: reasoning, text, refusals and tool calls, each opened, grown and closed once.

Invariant: one part is open at a time, and a closed one never changes; the parts joined by kind are what is recorded::

    deltas   reasoning "hm"    content "yes"           tool 0 "f" "{"      tool 0 "}"    (end)
    changes  open r, grow hm   close r, open t, grow   close t, open, grow   grow        close
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from clawstream.gateway.chat.chunks import Chunk, Delta, TokenLogprob, ToolCallDelta
from clawstream.gateway.errors import NodeError
from clawstream.schemas import new_id

Kind = Literal["reasoning", "text", "refusal", "tool"]


@dataclass(slots=True, kw_only=True)
class Part:
    """One part."""

    index: int  # among the parts
    kind: Kind
    pieces: list[str] = field(default_factory=list)  # of the text, or of a tool call's arguments
    logprobs: list[TokenLogprob] = field(default_factory=list)  # of a text's tokens, where they are kept
    tool_index: int | None = None  # as the node counts tool calls
    tool_id: str = ""
    tool_name: str = ""

    @property
    def content(self) -> str:
        """All of it so far."""
        return "".join(self.pieces)


class Change(NamedTuple):
    """What happened to a part."""

    what: Literal["open", "grow", "close"]
    part: Part
    piece: str = ""
    logprobs: Sequence[TokenLogprob] = ()


class Parts:
    """The parts of one answer."""

    def __init__(self, *, keep_logprobs: bool = False) -> None:
        self.all: list[Part] = []
        self._open: Part | None = None
        self._keep_logprobs = keep_logprobs
        self._tokens: list[TokenLogprob] = []  # whose text has not come yet

    def add(self, chunk: Chunk) -> Iterator[Change]:
        """What ``chunk`` changes. Raises ``NodeError`` when it goes back to a tool call that was closed."""
        for choice in chunk.choices:
            if self._keep_logprobs and choice.logprobs is not None:
                self._tokens += choice.logprobs.content or ()
            yield from self._add_delta(choice.delta)

    def finish(self) -> Iterator[Change]:
        """Close the last part."""
        if self._open is not None:
            yield Change("close", self._open)
            self._open = None

    def _add_delta(self, delta: Delta) -> Iterator[Change]:
        yield from self._say("reasoning", delta.reasoning or delta.reasoning_content)
        yield from self._say("text", delta.content)
        yield from self._say("refusal", delta.refusal)
        for piece in delta.tool_calls or ():
            yield from self._call(piece)

    def _say(self, kind: Kind, piece: str | None) -> Iterator[Change]:
        if not piece:
            return
        part = self._open
        if part is None or part.kind != kind:
            part = Part(index=len(self.all), kind=kind)
            yield from self._begin(part)
        yield self._grow(part, piece)

    def _call(self, piece: ToolCallDelta) -> Iterator[Change]:
        name = (piece.function and piece.function.name) or ""
        part = self._open
        if part is None or part.tool_index != piece.index:
            if any(part.tool_index == piece.index for part in self.all):
                raise NodeError(f"the node went back to tool call {piece.index} after it had gone on")
            if not name:
                raise NodeError(f"the node began tool call {piece.index} without a name")
            tool_id = piece.id or f"call_{new_id()}"
            part = Part(index=len(self.all), kind="tool", tool_index=piece.index, tool_id=tool_id, tool_name=name)
            yield from self._begin(part)
        elif name:
            raise NodeError(f"the node named tool call {piece.index} again: {name!a:.80}")
        if piece.function is not None and piece.function.arguments:
            yield self._grow(part, piece.function.arguments)

    def _begin(self, part: Part) -> Iterator[Change]:
        yield from self.finish()
        self._open = part
        self.all.append(part)
        yield Change("open", part)

    def _grow(self, part: Part, piece: str) -> Change:
        part.pieces.append(piece)
        tokens, self._tokens = self._tokens if part.kind == "text" else [], []
        part.logprobs += tokens
        return Change("grow", part, piece, tokens)
