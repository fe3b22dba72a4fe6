"""The conversation behind a sequence: the steps that lead to it, and their messages. Pure.

Invariant: the messages are those that the last step's prompt was made of, and its answer; content parts that were moved
beside the log stay references.
"""

from collections.abc import Mapping
from typing import Any

from clawstream.schemas import Step
from clawstream.schemas.reading.fields import json_array

Message = dict[str, Any]


def chain(steps: Mapping[str, Step], last: str) -> list[Step] | None:
    """From the first step to ``last``, each going on from the one before; None where one is not there."""
    found: list[Step] = []
    at: str | None = last
    while at is not None:
        step = steps.get(at)
        if step is None or step in found:
            return None
        found.append(step)
        at = step.prompt_prefix.step_id if step.prompt_prefix else None
    return found[::-1]


def messages_of(steps: list[Step]) -> list[Message]:
    """The conversation of a :func:`chain`. Empty where the prompts were token ids alone."""
    return [message for step in steps for message in (*json_array(step.new_messages_json), _answer(step))]


def tools_of(steps: list[Step]) -> str | None:
    """The tools of the last step, which says nothing where they are as before."""
    said = [step.tools_json for step in steps if step.tools_json is not None]
    return said[-1] if said and said[-1] != "[]" else None


def _answer(step: Step) -> Message:
    answer: Message = {"role": "assistant", "content": step.text}
    if step.reasoning is not None:
        answer["reasoning_content"] = step.reasoning
    if calls := json_array(step.tool_calls_json):
        answer["tool_calls"] = calls
    return answer
