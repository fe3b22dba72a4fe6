"""A call as it was asked for, whatever its dialect, and as it is passed on to a node.

Invariant: whatever the client sent reaches the node as it was; added are only the fields that make the node say what
it sampled, and a temperature where there was none, so that the recorded one is the one used.
"""

from typing import Annotated, Any

import msgspec

from clawstream.gateway.callers.identity import Claims
from clawstream.gateway.errors import invalid
from clawstream.gateway.reading import shaped
from clawstream.schemas.continuing import CONTINUES, Continues

DEFAULT_TEMPERATURE = 1.0
MAX_ANSWERS = 128  # of one call, as OpenAI has it
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"  # where nodes answer

_OURS = ("trajectory_uid", "prompt_uid", "channel", "session_id", "turn_type", "session_done", CONTINUES)
_INTERVAL = "stream_interval"  # vLLM's: tokens in a chunk, after the first
_TOKENS_AT_ONCE = 32  # of an answer that is not read as it comes: less to write and to read than a chunk for each
_CAPTURE = frozenset({"stream", "stream_options", "logprobs", "top_logprobs", "return_token_ids", _INTERVAL})
_NOT_SAMPLING = _CAPTURE | {"messages", "prompt", "tools", "model", "user", "metadata", "store"}


class StreamOptions(msgspec.Struct):
    """OpenAI's ``stream_options``."""

    include_usage: bool | None = None


class Asked(msgspec.Struct, kw_only=True):
    """The fields that chat completions and completions share."""

    model: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=MAX_ANSWERS)] | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0.0)] | None = None
    return_token_ids: bool | None = None
    use_beam_search: bool | None = None
    trajectory_uid: str | None = None
    prompt_uid: str | int | None = None
    channel: str | None = None
    session_id: str | int | None = None
    turn_type: str | None = None
    session_done: bool | str | int | None = None


class _Chat(Asked, kw_only=True):
    messages: Annotated[list[dict[str, Any]], msgspec.Meta(min_length=1)]
    logprobs: bool | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0)] | None = None
    tools: list[dict[str, Any]] | None = None


class Wants(msgspec.Struct, frozen=True, kw_only=True):
    """What the client asked to see beyond the answer itself."""

    usage: bool  # in a stream; a whole answer always has it
    logprobs: bool
    token_ids: bool


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request, checked."""

    body: dict[str, Any]  # what is passed on, without our own keys
    model: str | None
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    stream: bool
    temperature: float  # of sampling; OpenAI's default where the client named none
    wants: Wants
    capture: dict[str, Any]  # what makes the node give log-probabilities
    path: str  # of the node
    count: int  # of answers
    claims: Claims  # who the body says is calling
    room_after: int | None = None  # of so many prompt tokens the rest of the context may be filled; None: as asked

    def sampling(self) -> dict[str, Any]:
        """The sampling parameters that were asked for."""
        return {key: value for key, value in self.body.items() if key not in _NOT_SAMPLING}


def read_chat(body: dict[str, Any]) -> ChatRequest:
    """Check the ``body`` of a chat completion. Raises ``ApiError`` 400 naming the field."""
    if not isinstance(messages := body.get("messages"), list) or not messages:
        raise invalid("messages must be a non-empty list", "messages")  # in OpenClaw-RL's words
    shape = shaped(body, _Chat)
    return request_of(
        _with_claw_r1s_limit(body),
        shape,
        path=CHAT,
        messages=shape.messages,
        tools=shape.tools or [],
        capture={"logprobs": True, "top_logprobs": shape.top_logprobs or 0},
        wants_logprobs=bool(shape.logprobs),
    )


def request_of(
    body: dict[str, Any],
    shape: Asked,
    *,
    path: str,
    messages: list[dict[str, Any]],
    tools: list[dict[str, Any]],
    capture: dict[str, Any],
    wants_logprobs: bool,
) -> ChatRequest:
    """The request that ``body``, read as ``shape``, is. Raises ``ApiError`` 400 for what is no sampling."""
    if shape.use_beam_search:
        raise invalid("use_beam_search is not supported: a beam is no sample of the policy", "use_beam_search")
    options = shape.stream_options or StreamOptions()
    return ChatRequest(
        body={key: value for key, value in body.items() if key not in _OURS},
        model=shape.model,
        messages=messages,
        tools=tools,
        stream=bool(shape.stream),
        temperature=DEFAULT_TEMPERATURE if shape.temperature is None else shape.temperature,
        wants=Wants(usage=bool(options.include_usage), logprobs=wants_logprobs, token_ids=bool(shape.return_token_ids)),
        capture=capture,
        path=path,
        count=shape.n or 1,
        claims=Claims(
            trajectory_id=shape.trajectory_uid,
            group_id=_text(shape.prompt_uid),
            channel=shape.channel,
            session_id=_text(shape.session_id),
            turn_type=shape.turn_type,
            session_done=_text(shape.session_done),
        ),
    )


def node_body(
    asked: ChatRequest, model: str, continues: Continues | None = None, max_model_len: int | None = None
) -> bytes:
    """What is sent to a node that serves ``model``, to go on from the tokens of ``continues``.

    Raises ``ApiError`` 400 for a number that JSON cannot carry on.
    """
    capture = {
        "model": model,
        "stream": True,
        "stream_options": (asked.body.get("stream_options") or {}) | {"include_usage": True},
        "return_token_ids": True,
        "temperature": asked.temperature,
    }
    if continues is not None:
        capture[CONTINUES] = continues.as_json()
    if not (asked.stream or asked.tools or _INTERVAL in asked.body):
        capture[_INTERVAL] = _TOKENS_AT_ONCE  # vLLM's parsers of calls stumble over several at once
    if asked.room_after is not None and max_model_len is not None:
        capture["max_tokens"] = max(1, max_model_len - asked.room_after)
    return encoded(asked.body | asked.capture | capture)


def _with_claw_r1s_limit(body: dict[str, Any]) -> dict[str, Any]:
    """``response_length`` is Claw-R1's name of ``max_tokens``, where neither of OpenAI's is there."""
    if "response_length" not in body:
        return body
    limit = body.get("max_tokens") or body.get("max_completion_tokens") or body["response_length"]
    return {key: value for key, value in body.items() if key != "response_length"} | {"max_tokens": limit}


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)


def encoded(body: Any) -> bytes:
    """``body``, or a part of it, as JSON. Raises ``ApiError`` 400 for a number that JSON cannot carry on."""
    try:
        return msgspec.json.encode(body)
    except (OverflowError, RecursionError, ValueError) as error:
        raise invalid(f"the body cannot be passed on: {error}") from error
