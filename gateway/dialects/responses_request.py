"""A request of OpenAI's Responses as a chat completion.

Invariant: nothing is kept between calls, and nothing that changes the answer is dropped in silence: what chat
completions cannot express is a 400 that names the field. Unknown parameters (vLLM's own, such as ``seed``) pass.
"""

from typing import Annotated, Any, Literal

import msgspec

from clawstream.gateway.dialects.items import Item, chat_messages
from clawstream.gateway.errors import invalid
from clawstream.gateway.reading import shaped

ChatBody = dict[str, Any]

LOGPROBS, ENCRYPTED = "message.output_text.logprobs", "reasoning.encrypted_content"

_NOT_KEPT = ("previous_response_id", "conversation", "prompt", "background", "store")
_NO_MEANING = frozenset(  # for caching, billing, or tools that OpenAI runs; or not of this dialect
    {
        "max_tool_calls",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "stream_options",
        "return_token_ids",
        "logprobs",
        "n",
    }
)


class _Tool(msgspec.Struct, tag="function"):
    name: str
    parameters: dict[str, Any] | None = None
    description: str | None = None
    strict: bool | None = None


class _Chosen(msgspec.Struct, tag="function"):
    name: str


class _PlainFormat(msgspec.Struct, tag="text"):
    pass


class _ObjectFormat(msgspec.Struct, tag="json_object"):
    pass


class _SchemaFormat(msgspec.Struct, tag="json_schema"):
    name: str
    schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None


class _Text(msgspec.Struct):
    format: _PlainFormat | _ObjectFormat | _SchemaFormat | None = None
    verbosity: str | None = None


class _Reasoning(msgspec.Struct):
    effort: str | None = None


class Asked(msgspec.Struct, kw_only=True):
    """The request's own fields, checked."""

    input: str | Annotated[list[Item], msgspec.Meta(min_length=1)]
    instructions: str | None = None
    tools: list[_Tool] | None = None
    tool_choice: Literal["auto", "none", "required"] | _Chosen | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    text: _Text | None = None
    reasoning: _Reasoning | None = None
    include: list[str] | None = None
    truncation: Literal["disabled"] | None = None
    metadata: dict[str, str] | None = None
    user: str | None = None


_READ = frozenset(Asked.__struct_fields__) - {"temperature", "top_p", "parallel_tool_calls", "metadata", "user"}


def read_asked(body: dict[str, Any]) -> Asked:
    """Check ``body``. Raises ``ApiError`` 400 naming the field."""
    for key in _NOT_KEPT:
        if body.get(key):
            raise invalid(f"{key} is not supported: nothing is kept between calls; send the whole input", key)
    given = body.get("input")
    if isinstance(given, list):
        body = body | {"input": [_typed(item) for item in given]}
    return shaped(body, Asked)


def chat_body(body: dict[str, Any], asked: Asked) -> ChatBody:
    """The chat completion that ``body``, read as ``asked``, asks for."""
    left_out = _READ | _NO_MEANING | set(_NOT_KEPT)
    chat: ChatBody = {key: value for key, value in body.items() if key not in left_out}
    items = [{"role": "user", "content": asked.input}] if isinstance(asked.input, str) else chat_messages(asked.input)
    chat["messages"] = ([{"role": "system", "content": asked.instructions}] if asked.instructions else []) + items
    if asked.max_output_tokens is not None:
        chat["max_completion_tokens"] = asked.max_output_tokens
    if asked.reasoning is not None and asked.reasoning.effort is not None:
        chat["reasoning_effort"] = asked.reasoning.effort
    if LOGPROBS in (asked.include or ()):
        chat |= {"logprobs": True, "top_logprobs": asked.top_logprobs or 0}
    return chat | _tools(asked) | _text(asked.text)


def _typed(item: Any) -> Any:
    """A message may leave out its type."""
    return {"type": "message"} | item if isinstance(item, dict) and "role" in item else item


def _tools(asked: Asked) -> ChatBody:
    chat: ChatBody = {}
    if asked.tools:
        chat["tools"] = [{"type": "function", "function": _without_null(tool)} for tool in asked.tools]
    if isinstance(asked.tool_choice, _Chosen):
        return chat | {"tool_choice": {"type": "function", "function": {"name": asked.tool_choice.name}}}
    return chat | ({} if asked.tool_choice is None else {"tool_choice": asked.tool_choice})


def _text(text: _Text | None) -> ChatBody:
    if text is None:
        return {}
    verbosity = {} if text.verbosity is None else {"verbosity": text.verbosity}
    match text.format:
        case _SchemaFormat():
            return verbosity | {"response_format": {"type": "json_schema", "json_schema": _without_null(text.format)}}
        case _ObjectFormat():
            return verbosity | {"response_format": {"type": "json_object"}}
        case _:
            return verbosity


def _without_null(struct: msgspec.Struct) -> dict[str, Any]:
    return {key: value for key, value in msgspec.structs.asdict(struct).items() if value is not None}
