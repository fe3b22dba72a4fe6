"""An agent as anybody would write it: the ``openai`` package, one tool, a loop. Nothing of ClawStream is imported.

Invariant: every trajectory has at least two model calls. An answer counts only after a tool result; a reply without a
usable tool call before that is answered with what is wrong, and the model tries again until its turns are used up.

Example::

    user       State the final answer to the following arithmetic problem: 43 + 14 =
    assistant  calc({"expression": "43 + 14"})
    tool       57
    assistant  57
"""

import ast
import json
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from openai import AsyncOpenAI

REMINDER = "Call calc first."
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "calc",
            "description": "Evaluate an arithmetic expression.",
            "parameters": {
                "type": "object",
                "properties": {"expression": {"type": "string"}},
                "required": ["expression"],
            },
        },
    }
]
_MAX_EXPRESSION_CHARACTERS = 64
_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
}


@dataclass(frozen=True, kw_only=True)
class AgentResult:
    """How one attempt ended.

    Attributes:
        answer: the final answer, or None if the turns were used up before one.
        model_calls: calls of the model, at least 2.
        tool_calls: calls of the tool that gave a number.
        messages: the conversation as OpenAI messages.
    """

    answer: str | None
    model_calls: int
    tool_calls: int
    messages: list[dict[str, Any]]


async def solve(
    client: AsyncOpenAI,
    question: str,
    *,
    model: str,
    temperature: float = 1.0,
    max_turns: int = 3,
    max_tokens_per_turn: int = 48,
) -> AgentResult:
    """Ask ``model`` for the answer to ``question``, running the tool calls that it makes.

    Raises what ``client`` raises; ``ValueError`` for fewer than two turns.
    """
    if max_turns < 2:
        raise ValueError(f"max_turns is {max_turns}: a tool call and an answer take 2")
    messages: list[dict[str, Any]] = [{"role": "user", "content": question}]
    tool_calls = 0
    for turn in range(1, max_turns + 1):
        completion = await client.chat.completions.create(
            model=model,
            messages=messages,  # type: ignore[arg-type]  # plain dicts, as agents write them
            tools=TOOLS,  # type: ignore[arg-type]
            temperature=temperature,
            max_completion_tokens=max_tokens_per_turn,
        )
        reply = completion.choices[0].message.model_dump(exclude_none=True)
        messages.append(reply)
        if calls := reply.get("tool_calls"):
            results = [_run(call["function"]) for call in calls]
            tool_calls += sum(not result.startswith("error") for result in results)
            messages += [
                {"role": "tool", "tool_call_id": call["id"], "content": result}
                for call, result in zip(calls, results, strict=True)
            ]
        elif tool_calls:
            answer = str(reply.get("content", "")).strip()
            return AgentResult(answer=answer, model_calls=turn, tool_calls=tool_calls, messages=messages)
        else:
            messages.append({"role": "user", "content": REMINDER})
    return AgentResult(answer=None, model_calls=max_turns, tool_calls=tool_calls, messages=messages)


def calculate(expression: str) -> int:
    """The value of whole numbers joined by ``+``, ``-``, ``*``, with brackets. Else ``ValueError`` says why."""
    if len(expression) > _MAX_EXPRESSION_CHARACTERS:
        raise ValueError(f"{len(expression)} characters, at most {_MAX_EXPRESSION_CHARACTERS}")
    try:
        return _value(ast.parse(expression.strip(), mode="eval").body)
    except SyntaxError as error:
        raise ValueError("not an arithmetic expression") from error


def _value(node: ast.expr) -> int:
    match node:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left), _value(right))
        case _:
            raise ValueError(f"{type(node).__name__} is not arithmetic")


def _run(function: dict[str, Any]) -> str:
    """The tool's result for one call, or ``error: ...``: the model reads either."""
    if function["name"] != "calc":
        return f"error: no tool is named {function['name']}"
    try:
        return str(calculate(str(json.loads(function["arguments"])["expression"])))
    except (ValueError, KeyError, TypeError) as error:
        return f"error: {error}"
