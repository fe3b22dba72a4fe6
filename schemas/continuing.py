"""What the gateway asks of a rollout node beyond OpenAI's fields: go on from these very tokens.

Invariant: a node either begins the prompt with exactly the tokens that it was given, or says why it did not::

    ask     {"messages": [...], "clawstream_continues": {"answer_index": 1, "tokens": "<base64 of int32>"}}
    answer  {"choices": [], "clawstream_not_continued": "why"}      # a chunk of the stream; absent where it did
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

from clawstream.schemas.packing import TOKEN_BYTES

CONTINUES = "clawstream_continues"
NOT_CONTINUED = "clawstream_not_continued"


@dataclass(frozen=True, slots=True, kw_only=True)
class Continues:
    """A prompt begins with ``tokens``, which end with the answer that ``messages[answer_index]`` repeats."""

    tokens: bytes  # packed; earlier prompt and response
    answer_index: int

    def as_json(self) -> dict[str, Any]:
        """As it is in the body."""
        return {"answer_index": self.answer_index, "tokens": base64.b64encode(self.tokens).decode()}

    @classmethod
    def from_json(cls, value: Any) -> "Continues":
        """Read :meth:`as_json`. Raises ``ValueError`` saying what is wrong."""
        index, encoded = (value.get("answer_index"), value.get("tokens")) if isinstance(value, dict) else (None, None)
        if type(index) is not int or index < 0 or not isinstance(encoded, str):
            raise ValueError(f"{CONTINUES} must hold answer_index and tokens")
        try:
            tokens = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise ValueError(f"{CONTINUES}: tokens is no base64: {error}") from error
        if not tokens or len(tokens) % TOKEN_BYTES:
            raise ValueError(f"{CONTINUES}: tokens has {len(tokens)} bytes, not a multiple of {TOKEN_BYTES}")
        return cls(tokens=tokens, answer_index=index)
