"""All answers of one call: one, or ``n``.

Invariant: each answer holds its own tokens alone. Of several, the node counts the tokens of all together; each then has
what is left of that count after the others, so a count that is wrong is wrong in every one of them::

    usage 7 = ids 4 + ids 3   ->  4 and 3     usage 8, ids 4 and 3   ->  5 and 4, which the integrity check finds
"""

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from clawstream.gateway.chat.answer import Answer
from clawstream.gateway.chat.chunks import Chunk
from clawstream.gateway.errors import NodeError

_USED = "completion_tokens"


class Answers:
    """The answers as their chunks arrive."""

    def __init__(self, count: int = 1, *, keep_logprobs: bool = False) -> None:
        self.each = [Answer(keep_logprobs=keep_logprobs) for _ in range(count)]
        self.usage: dict[str, Any] | None = None  # of all together

    @property
    def first(self) -> Answer:
        """The only answer, where there is one; it has what all share."""
        return self.each[0]

    @property
    def have_begun(self) -> bool:
        """Has each its first token?"""
        return all(answer.first_token_at is not None for answer in self.each)

    def add(self, chunk: Chunk, at: datetime) -> None:
        """Take in ``chunk``. Raises ``NodeError`` for an answer that was not asked for."""
        count = len(self.each)
        for index in (chunk.index, *[choice.index for choice in chunk.choices]):
            if not 0 <= index < count:
                raise NodeError(f"the node sent answer {index} of {count}")
        self.usage = chunk.usage or self.usage
        if count == 1:
            self.first.add(chunk, at)
            return
        for choice in chunk.choices:
            self.each[choice.index].add(replace(chunk, choices=[choice], weight_versions=None, usage=None), at)
        if not chunk.choices:
            for index, answer in enumerate(self.each):
                spans = chunk.weight_versions if index == chunk.index else None
                answer.add(replace(chunk, weight_versions=spans, usage=None), at)

    def settle(self) -> None:
        """Give each of several answers its share of the usage; called once all has come."""
        if len(self.each) == 1 or self.usage is None:
            return
        used, counts = self.usage.get(_USED), [len(answer.token_ids) for answer in self.each]
        for answer, count in zip(self.each, counts, strict=True):
            own = used - (sum(counts) - count) if isinstance(used, int) else used
            answer.usage = self.usage | {_USED: own}
