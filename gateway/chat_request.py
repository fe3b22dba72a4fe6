"""A chat completion as it was asked for, and as it is passed on to a node.

Invariant: whatever the client sent reaches the node as it was; added are only the fields that make the node say what
it sampled, and a temperature where there was none, so that the recorded one is the one used.
"""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from clawstream.gateway.errors import invalid
from clawstream.gateway.reading import shaped
from clawstream.schemas.continuing import CONTINUES, Continues

DEFAULT_TEMPERATURE = 1.0

_OURS = ("session_id", "turn_type", "session_done", CONTINUES)
_CAPTURE = frozenset({"stream", "stream_options", "logprobs", "top_logprobs", "return_token_ids"})
_NOT_SAMPLING = _CAPTURE | {"messages", "tools", "model", "user", "metadata", "store"}


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _Shape(msgspec.Struct):
    messages: Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1)]
    model: str | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    n: int | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0.0)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0)] | None = None
    tools: list[dict[str, Any]] | None = None
    return_token_ids: bool | None = None
    use_beam_search: bool | None = None
    session_id: str | None = None
    turn_type: str | None = None
    session_done: bool | str | int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What the client asked to see beyond the answer itself."""

    usage: bool  # in a stream; a whole answer always has it
    logprobs: bool
    token_ids: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One request, checked."""

    body: dict[str, Any]  # what is passed on, without our own keys
    model: str | None
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    stream: bool
    temperature: float  # of sampling; OpenAI's default where the client named none
    wants: Wants
    session_id: str | None  # OpenClaw-RL's body keys, used where its headers are absent
    turn_type: str | None
    session_done: str | None

    def sampling(self) -> dict[str, Any]:
        """The sampling parameters that were asked for."""
        return {key: value for key, value in self.body.items() if key not in _NOT_SAMPLING}


def read_chat(body: dict[str, Any]) -> ChatRequest:
    """Check ``body``. Raises ``ApiError`` 400 naming the field."""
    shape = shaped(body, _Shape)
    if shape.n is not None and shape.n != 1:
        raise invalid(f"n is {shape.n}; only 1 is supported: ask once for each answer", "n")
    if shape.use_beam_search:
        raise invalid("use_beam_search is not supported: a beam is no sample of the policy", "use_beam_search")
    options = shape.stream_options or _StreamOptions()
    return ChatRequest(
        body={key: value for key, value in body.items() if key not in _OURS},
        model=shape.model,
        messages=shape.messages,
        tools=shape.tools or [],
        stream=bool(shape.stream),
        temperature=DEFAULT_TEMPERATURE if shape.temperature is None else shape.temperature,
        wants=Wants(
            usage=bool(options.include_usage),
            logprobs=bool(shape.logprobs),
            token_ids=bool(shape.return_token_ids),
        ),
        session_id=shape.session_id,
        turn_type=shape.turn_type,
        session_done=None if shape.session_done is None else str(shape.session_done),
    )


def node_body(asked: ChatRequest, model: str, continues: Continues | None = None) -> bytes:
    """What is sent to a node that serves ``model``, to go on from the tokens of ``continues``.

    Raises ``ApiError`` 400 for a number that JSON cannot carry on.
    """
    capture = {
        "model": model,
        "stream": True,
        "stream_options": (asked.body.get("stream_options") or {}) | {"include_usage": True},
        "logprobs": True,
        "top_logprobs": asked.body.get("top_logprobs") or 0,
        "return_token_ids": True,
        "temperature": asked.temperature,
    }
    if continues is not None:
        capture[CONTINUES] = continues.as_json()
    try:
        return msgspec.json.encode(asked.body | capture)
    except (OverflowError, RecursionError, ValueError) as error:
        raise invalid(f"the body cannot be passed on: {error}") from error
