"""A streamed chunk of vLLM's chat completions or completions, typed: only what is recorded or assembled."""

from typing import Annotated, Any

import msgspec

from clawstream.gateway.errors import NodeError

TokenId = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class FunctionDelta(msgspec.Struct):
    """A piece of a function call."""

    name: str | None = None
    arguments: str | None = None


class ToolCallDelta(msgspec.Struct):
    """A piece of the tool call with this index."""

    index: int = 0
    id: str | None = None
    type: str | None = None
    function: FunctionDelta | None = None


class Delta(msgspec.Struct):
    """What the chunk adds to the message."""

    content: str | None = None
    reasoning: str | None = None  # vLLM's name since 0.12
    reasoning_content: str | None = None  # the older name
    refusal: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


class TokenLogprob(msgspec.Struct):
    """One sampled token's log-probability in nats; null when the engine gave none."""

    logprob: float | None
    token: str = ""
    bytes: list[int] | None = None
    top_logprobs: list[Any] = []


class Logprobs(msgspec.Struct):
    """Log-probabilities of the chunk's tokens: ``content`` in a chat completion, the four lists in a completion."""

    content: list[TokenLogprob] | None = None
    token_logprobs: list[float | None] | None = None  # nats
    tokens: list[str] = []
    top_logprobs: list[Any] = []
    text_offset: list[int] = []


class ReportedSpan(msgspec.Struct):
    """Tokens ``[start, end)`` of the answer and the label of the weights that sampled them."""

    version: str
    start: Count
    end: Count


class Choice(msgspec.Struct):
    """What the chunk adds to the answer with this index."""

    index: int = 0
    delta: Delta = msgspec.field(default_factory=Delta)
    text: str | None = None  # in a completion, instead of the delta
    logprobs: Logprobs | None = None
    finish_reason: str | None = None
    stop_reason: int | str | None = None
    token_ids: list[TokenId] | None = None
    prompt_token_ids: list[TokenId] | None = None  # in a completion, instead of the chunk's
    weight_versions: list[ReportedSpan] | None = None


class Error(msgspec.Struct):
    """An error that came after the answer had begun."""

    message: str = "the node reported an error without a message"
    code: int | str | None = None


class Chunk(msgspec.Struct):
    """One event of the stream."""

    id: str = ""
    created: int = 0
    model: str = ""
    system_fingerprint: str | None = None
    choices: list[Choice] = []
    prompt_token_ids: list[TokenId] | None = None
    usage: dict[str, Any] | None = None
    weight_versions: list[ReportedSpan] | None = None
    clawstream_not_continued: str | None = None  # why the prompt does not begin with the tokens that we gave
    index: int = 0  # the answer that ``weight_versions`` are of, where there are several
    error: Error | None = None


_DECODER = msgspec.json.Decoder(Chunk)


def read_chunk(data: bytes) -> Chunk:
    """Decode one event's data. Raises ``NodeError`` when it is no chunk, or an error of the node's."""
    try:
        chunk = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NodeError(f"the node sent a chunk that cannot be read: {error}") from error
    if chunk.error is not None:
        code = chunk.error.code
        status = code if isinstance(code, int) and 400 <= code <= 599 else 502
        raise NodeError(chunk.error.message, status=status, raw=data)
    return chunk
