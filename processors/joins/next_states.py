"""What followed a step: the messages after its answer, or what feedback observed. Pure.

Invariant: a next state was sent after the answer existed. The same messages after the same answer are one next state,
however often they are sent::

    s1 answers with two tool calls
    s2 goes on from s1 with two results      next state of s1: both results
    s2' is a retry of s2                     the same next state of s1, with the same id; none of s2
    s3 is sent while s2 is being answered    none of s2: it does not hold the answer
"""

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from clawstream.schemas import Feedback, NextState, Step, derived_id

Message = dict[str, Any]


def reply(step: Step, earlier: Iterable[Step]) -> NextState | None:
    """The next state that ``step`` brings of the step that it goes on from.

    A step that was written whole is matched by the last answer in its messages to the ``earlier`` steps of its
    trajectory (in log order); for one that goes on by tokens they are not looked at. Side turns bring none.
    """
    messages = _messages(step.new_messages_json)
    if step.turn_type != "main" or not messages:
        return None
    if step.prompt_prefix is not None:
        return _next_state(step, step.prompt_prefix.step_id, _up_to_answer(messages))
    last = next((n for n in reversed(range(len(messages))) if messages[n].get("role") == "assistant"), None)
    if last is None:
        return None
    said = _said(messages[last])
    answered = [other for other in earlier if other.finished_at <= step.received_at and _answer(other) == said]
    return _next_state(step, answered[-1].step_id, messages[last + 1 :]) if answered else None


def observation(feedback: Feedback, step_id: str) -> NextState:
    """What ``feedback`` observed after ``step_id``: its ``messages``, or one message with all that it says."""
    detail = _parsed(feedback.detail_json)
    detail = detail if isinstance(detail, dict) else {}
    messages, said = detail.get("messages"), detail.get("content")
    if not _are_messages(messages):
        messages = [{"role": "observation", "content": said if isinstance(said, str) else feedback.detail_json or ""}]
    return NextState(
        next_state_id=derived_id("next-state", feedback.tenant, step_id, feedback.feedback_id),
        trajectory_id=feedback.trajectory_id,
        step_id=step_id,
        tenant=feedback.tenant,
        messages_json=_json(messages),
        at=feedback.at,
        kind="observed",
    )


def _next_state(step: Step, followed: str, messages: list[Message]) -> NextState | None:
    if not messages:
        return None
    text = _json(messages)
    return NextState(
        next_state_id=derived_id("next-state", step.tenant, followed, hashlib.sha256(text.encode()).hexdigest()),
        trajectory_id=step.trajectory_id,
        step_id=followed,
        tenant=step.tenant,
        messages_json=text,
        at=step.received_at,
    )


def _messages(text: str) -> list[Message]:
    found = _parsed(text)
    return found if _are_messages(found) else []


def _are_messages(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(message, dict) for message in value)


def _up_to_answer(messages: list[Message]) -> list[Message]:
    """Those before the next answer, which somebody else gave."""
    end = next((n for n, message in enumerate(messages) if message.get("role") == "assistant"), len(messages))
    return messages[:end]


def _said(message: Message) -> tuple[str, str]:
    """An answer as it is compared: its text, and its calls without their ids."""
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "").strip(), _calls(message.get("tool_calls"))


def _answer(step: Step) -> tuple[str, str]:
    return step.text.strip(), _calls(_parsed(step.tool_calls_json))


def _calls(calls: Any) -> str:
    calls = calls if isinstance(calls, list) else []
    functions = [call.get("function") for call in calls if isinstance(call, dict)]
    found = [(f.get("name"), _parsed(f.get("arguments"))) for f in functions if isinstance(f, dict)]
    return msgspec.json.encode(found, order="deterministic").decode()


def _parsed(text: Any) -> Any:
    """``text`` as JSON, or as it is where it is none."""
    try:
        return msgspec.json.decode(text)
    except (TypeError, ValueError):
        return text


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
