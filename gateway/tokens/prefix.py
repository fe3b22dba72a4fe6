"""Earlier steps' tokens, to go on from them and to store only what is new.

Invariant: a step refers only to a step that is acknowledged in the log, is exact and is a main turn, so whoever
resolves the chain finds every link. What is forgotten costs storage, never truth: such a step is written whole.
A trajectory is a tree (sub-agents, retries, edits), so several of its steps are kept, and the longest match counts.
All methods run on the event loop without awaiting, so no two calls interleave.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import msgspec

from clawstream.gateway.tokens.history import Message, history_of, settings_digest, tools_digest
from clawstream.gateway.tokens.media import NO_MEDIA
from clawstream.schemas import TOKEN_BYTES, PromptPrefix, tokens_digest

_LEAST_BYTES = 256 * TOKEN_BYTES


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A step that a later prompt may continue."""

    step_id: str
    tokens: bytes  # whole prompt and response, packed
    message_count: int  # messages of its request
    history: bytes  # digest of those and the answer
    media: bytes  # digest of the images and other media in those
    tools: bytes | None  # digest of its request's tools; None: it had none
    settings: bytes  # digest of what else shaped the prompt
    model: str  # whose tokens they are


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a request that is written."""

    prefix: PromptPrefix | None
    prompt_tokens: bytes
    new_messages_json: str
    tools_json: str | None


class PrefixStore:
    """Steps of the trajectories used last, bounded by tokens in all and by steps per trajectory.

    Of both, what was used longest ago goes first. A step of few tokens counts as 256, so that those are bounded too.
    """

    def __init__(self, max_tokens: int, max_steps: int) -> None:
        self._max_bytes, self._max_steps = max_tokens * TOKEN_BYTES, max_steps
        self._steps: OrderedDict[str, OrderedDict[str, Known]] = OrderedDict()
        self._bytes = 0

    @property
    def token_count(self) -> int:
        """Tokens held, as they count."""
        return self._bytes // TOKEN_BYTES

    def steps(self, trajectory_id: str) -> list[Known]:
        """What is known of the trajectory, used last at the end."""
        return list(self._steps.get(trajectory_id, OrderedDict()).values())

    def get(self, trajectory_id: str, step_id: str) -> Known | None:
        """One step, where it is known."""
        return self._steps.get(trajectory_id, OrderedDict()).get(step_id)

    def find(self, trajectory_id: str, prompt: bytes) -> Known | None:
        """The longest known step of the trajectory whose prompt and response ``prompt`` begins with."""
        found = [known for known in self.steps(trajectory_id) if prompt.startswith(known.tokens)]
        return self._use(trajectory_id, max(found, key=lambda known: len(known.tokens), default=None))

    def match(self, trajectory_id: str, history: Sequence[bytes]) -> list[Known]:
        """Known steps after whose answer the messages go on, the longest first, of equal ones that used last.

        ``history``: the messages' digests.
        """
        places = {digest: place for place, digest in enumerate(history)}
        found = [known for known in self.steps(trajectory_id) if places.get(known.history) == known.message_count + 1]
        found.reverse()
        return sorted(found, key=lambda known: known.message_count, reverse=True)

    def remember(self, trajectory_id: str, known: Known) -> None:
        """Keep an acknowledged step."""
        steps = self._steps.setdefault(trajectory_id, OrderedDict())
        self._steps.move_to_end(trajectory_id)
        before = steps.pop(known.step_id, None)
        self._bytes += _cost(known) - (_cost(before) if before is not None else 0)
        steps[known.step_id] = known
        while len(steps) > self._max_steps:
            self._bytes -= _cost(steps.popitem(last=False)[1])
        while self._bytes > self._max_bytes:
            self.forget(next(iter(self._steps)))

    def forget(self, trajectory_id: str) -> None:
        """Drop a trajectory."""
        self._bytes -= sum(_cost(known) for known in self._steps.pop(trajectory_id, OrderedDict()).values())

    def _use(self, trajectory_id: str, known: Known | None) -> Known | None:
        if known is not None:
            self._steps.move_to_end(trajectory_id)
            self._steps[trajectory_id].move_to_end(known.step_id)
        return known


def known_of(
    step_id: str,
    tokens: bytes,
    messages: Sequence[Message],
    answer: Message,
    tools: Sequence[Message],
    sampling: dict[str, Any],
    model: str,
    media: bytes = NO_MEDIA,
) -> Known:
    """A step as it is kept."""
    return Known(
        step_id=step_id,
        tokens=tokens,
        message_count=len(messages),
        history=history_of(messages, answer, sampling),
        media=media,
        tools=tools_digest(tools),
        settings=settings_digest(sampling),
        model=model,
    )


def shorten(
    prompt: bytes,
    messages: Sequence[Message],
    tools: Sequence[Message],
    known: Known | None,
    media: Sequence[bytes] | None = None,
) -> Stored:
    """What to write of a request whose prompt tokens begin with those of ``known``; all of it when there is none.

    The message that repeats ``known``'s own answer is not new. An empty ``tools`` after a step with tools is ``[]``.
    ``media``: as ``media_digests`` has them; ``None``: the messages hold none.
    """
    tools_json = _json(tools) if tools else None
    if known is None or not _goes_on(messages, known.message_count) or not _shows_the_same(media, known):
        return Stored(prefix=None, prompt_tokens=prompt, new_messages_json=_json(messages), tools_json=tools_json)
    shared = len(known.tokens)
    return Stored(
        prefix=PromptPrefix(
            step_id=known.step_id, token_count=shared // TOKEN_BYTES, sha256=tokens_digest(known.tokens)
        ),
        prompt_tokens=prompt[shared:],
        new_messages_json=_json(messages[known.message_count + 1 :]),
        tools_json=None if tools_digest(tools) == known.tools else tools_json or "[]",
    )


def _goes_on(messages: Sequence[Message], message_count: int) -> bool:
    """Is the message after the known step's own an answer, as it must be when the conversation went on?

    A prompt of token ids has no messages, and its tokens say all.
    """
    return not messages or (len(messages) > message_count and messages[message_count].get("role") == "assistant")


def _shows_the_same(media: Sequence[bytes] | None, known: Known) -> bool:
    """Are the images and other media of the known step's messages still what they were?"""
    return known.media == (NO_MEDIA if media is None else media[known.message_count])


def _cost(known: Known) -> int:
    return max(len(known.tokens), _LEAST_BYTES)


def _json(value: Sequence[Message]) -> str:
    return msgspec.json.encode(value).decode()
