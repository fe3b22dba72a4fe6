"""A request of Anthropic's Messages as a chat completion.

Invariant: nothing that changes the answer is dropped in silence: what chat completions cannot express is a 400 that
names the field. Unknown parameters (vLLM's own, such as ``seed``) pass through.
"""

from typing import Annotated, Any, Literal

import msgspec

from clawstream.gateway.dialects.blocks import Message, Text, chat_messages, system_content
from clawstream.gateway.errors import invalid
from clawstream.gateway.reading import shaped

ChatBody = dict[str, Any]

_NO_MEANING = (  # for caching, billing, placement, or edits of a history that is sent whole
    "cache_control",
    "context_management",
    "diagnostics",
    "inference_geo",
    "service_tier",
    "speed",
    "user_profile_id",
    "workspace_id",
    "betas",
    "return_token_ids",
    "logprobs",
    "top_logprobs",
    "stream_options",
    "n",
)


class _Tool(msgspec.Struct):
    name: str
    input_schema: dict[str, Any]
    type: Literal["custom"] | None = None
    description: str | None = None
    strict: bool | None = None


class _ToolChoice(msgspec.Struct):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool = False


class _Thinking(msgspec.Struct):
    type: Literal["enabled", "adaptive", "disabled"]
    budget_tokens: int | None = None


class _Format(msgspec.Struct):
    type: Literal["json_schema"]
    schema: dict[str, Any]


class _OutputConfig(msgspec.Struct):
    effort: str | None = None
    format: _Format | None = None


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _Counted(msgspec.Struct, kw_only=True):
    messages: Annotated[list[Message], msgspec.Meta(min_length=1)]
    system: str | list[Text] | None = None
    tools: list[_Tool] | None = None
    tool_choice: _ToolChoice | None = None
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None  # the older name of output_config.format
    metadata: _Metadata | None = None
    stop_sequences: list[str] | None = None
    container: None = None  # Anthropic's own servers', as are the next
    mcp_servers: Annotated[list[Any], msgspec.Meta(max_length=0)] | None = None


class _Asked(_Counted, kw_only=True):
    max_tokens: Annotated[int, msgspec.Meta(ge=1)]


_READ = frozenset(_Asked.__struct_fields__)


def chat_body(body: dict[str, Any], *, counting: bool = False) -> ChatBody:
    """The chat completion that ``body`` asks for; ``counting``: ``max_tokens`` is not needed.

    Raises ``ApiError`` 400 naming the field.
    """
    asked: _Counted = shaped(body, _Counted if counting else _Asked)
    system = system_content(asked.system)
    messages = ([{"role": "system", "content": system}] if system else []) + chat_messages(asked.messages)
    chat: ChatBody = {key: value for key, value in body.items() if key not in _READ and key not in _NO_MEANING}
    chat["messages"] = messages
    if isinstance(asked, _Asked):
        chat["max_tokens"] = asked.max_tokens
    if asked.messages[-1].role == "assistant":  # Anthropic's prefill
        chat |= {"continue_final_message": True, "add_generation_prompt": False}
    if asked.stop_sequences:
        chat["stop"] = asked.stop_sequences
    if asked.metadata is not None and asked.metadata.user_id is not None:
        chat["user"] = asked.metadata.user_id
    return chat | _tools(asked) | _thinking(asked) | _format(asked)


def _tools(asked: _Counted) -> ChatBody:
    chat: ChatBody = {}
    if asked.tools:
        chat["tools"] = [_tool(tool) for tool in asked.tools]
    choice = asked.tool_choice
    if choice is None:
        return chat
    if choice.disable_parallel_tool_use:
        chat["parallel_tool_calls"] = False
    if choice.type == "tool":
        if choice.name is None:
            raise invalid("tool_choice.name: which tool?", "tool_choice.name")
        return chat | {"tool_choice": {"type": "function", "function": {"name": choice.name}}}
    return chat | {"tool_choice": "required" if choice.type == "any" else choice.type}


def _tool(tool: _Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "parameters": tool.input_schema}
    if tool.description is not None:
        function["description"] = tool.description
    if tool.strict is not None:
        function["strict"] = tool.strict
    return {"type": "function", "function": function}


def _thinking(asked: _Counted) -> ChatBody:
    effort = asked.output_config.effort if asked.output_config is not None else None
    chat: ChatBody = {} if effort is None else {"reasoning_effort": effort}
    if asked.thinking is None or asked.thinking.type == "adaptive":
        return chat
    if asked.thinking.type == "disabled":
        return {"reasoning_effort": "none"}
    budget = asked.thinking.budget_tokens
    return chat | ({} if budget is None else {"thinking_token_budget": budget})


def _format(asked: _Counted) -> ChatBody:
    wanted = (asked.output_config and asked.output_config.format) or asked.output_format
    if wanted is None:
        return {}
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "output", "schema": wanted.schema}}}


def tokenizer_body(chat: ChatBody) -> dict[str, Any]:
    """What vLLM's tokenizer is asked for the prompt of ``chat``; reasoning is set as chat completions set it."""
    settings = dict(chat.get("chat_template_kwargs") or {})
    effort = chat.get("reasoning_effort")
    if effort is not None:
        settings = {"reasoning_effort": effort, "enable_thinking": effort != "none"} | settings
    kept = ("messages", "tools", "continue_final_message", "add_generation_prompt", "chat_template")
    return {key: chat[key] for key in kept if key in chat} | {"chat_template_kwargs": settings}
