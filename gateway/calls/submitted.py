"""Steps that a white-box agent sampled itself, in Claw-R1's shape, as calls and answers. Pure.

Invariant: what contradicts itself is refused with its index and field; what is missing is recorded as missing, and the
step says why it does not train. A step has the same id whenever it is submitted.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

import msgspec

from clawstream.gateway.callers.identity import NO_CLAIMS, TENANT, Caller, checked
from clawstream.gateway.calls.record import Call
from clawstream.gateway.chat.answer import Answer
from clawstream.gateway.chat.chunks import ReportedSpan, TokenId
from clawstream.gateway.chat.request import COMPLETIONS, DEFAULT_TEMPERATURE, ChatRequest, Wants
from clawstream.gateway.errors import ApiError, invalid
from clawstream.gateway.reading import shaped
from clawstream.gateway.tokens.integrity import bad_logprobs
from clawstream.gateway.trajectories.continuing import Plan
from clawstream.schemas import NodeStatus, derived_id, new_id, now

NODE = "submitted"  # in place of a node's name
MAX_STEPS = 10_000  # of one call

Count = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class SubmittedStep(msgspec.Struct, kw_only=True):
    """One of ``steps``. From ``step_id`` on the fields are ours; ``routed_experts`` does nothing."""

    prompt_ids: list[TokenId]
    response_ids: list[TokenId]
    reward: float | None = None
    multi_modal_data: dict[str, Any] | None = None
    rollout_log_probs: list[float] | None = None
    trajectory_uid: str = ""
    prompt_uid: str = ""
    step_index: Count = 0
    policy_version: Count | None = None
    is_last: bool = False
    metadata: dict[str, Any] | None = None
    step_id: str | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0.0)] = DEFAULT_TEMPERATURE
    finish_reason: Literal["stop", "tool_calls", "length", "abort"] = "stop"
    logprobs_mode: Literal["raw_logprobs", "processed_logprobs"] = "processed_logprobs"
    model: str = ""


class _Submission(msgspec.Struct):
    steps: Annotated[list[SubmittedStep], msgspec.Meta(max_length=MAX_STEPS)]


def read_steps(body: dict[str, Any], tenant: str = TENANT) -> list[SubmittedStep]:
    """The steps in ``body``, each with its names, in order within their trajectories. Raises ``ApiError`` 400."""
    steps = [_named(step, f"steps[{index}]", tenant) for index, step in enumerate(shaped(body, _Submission).steps)]
    known: dict[str, int] = {}
    for index, step in enumerate(steps):
        _check(step, f"steps[{index}]")
        before = known.setdefault(step.step_id or "", index)
        if before != index:
            said = f"trajectory {step.trajectory_uid!a:.80} has step {step.step_index} also at steps[{before}]"
            raise _refused(f"steps[{index}]", "step_index", said)
    return sorted(steps, key=lambda step: step.step_index)


def by_trajectory(steps: Sequence[SubmittedStep]) -> dict[str, list[SubmittedStep]]:
    """The steps of each trajectory, in order."""
    found: dict[str, list[SubmittedStep]] = {}
    for step in steps:
        found.setdefault(step.trajectory_uid, []).append(step)
    return found


def call_of(step: SubmittedStep, channel: str, tenant: str = TENANT) -> Call:
    """The call that ``step`` was."""
    sampling = {"temperature": step.temperature}
    asked = ChatRequest(
        body=sampling,
        model=step.model or None,
        messages=[],
        tools=[],
        stream=False,
        temperature=step.temperature,
        wants=Wants(usage=False, logprobs=False, token_ids=True),
        capture={},
        path=COMPLETIONS,
        count=1,
        claims=NO_CLAIMS,
    )
    step_id, agent = step.step_id or "", (step.metadata or {}).get("agent")
    caller = Caller(
        tenant=tenant,
        trajectory_id=step.trajectory_uid,
        group_id=step.prompt_uid,
        channel=channel,
        agent=agent[:200] if isinstance(agent, str) else "",
        turn_type="main",
        request_key=step_id,
        attempt=1,
        session_done=step.is_last,
        session_id=None,
    )
    return Call(step_id=step_id, caller=caller, channel=channel, asked=asked, received_at=now(), plan=Plan())


def answer_of(step: SubmittedStep) -> Answer:
    """The answer that ``step`` holds."""
    version, count = step.policy_version, len(step.response_ids)
    return Answer(
        prompt_ids=step.prompt_ids,
        token_ids=step.response_ids,
        logprobs=step.rollout_log_probs or [],
        usage={"prompt_tokens": len(step.prompt_ids), "completion_tokens": count},
        reported_spans=None if version is None else [ReportedSpan(version=str(version), start=0, end=count)],
        finish_reason=step.finish_reason,
    )


def node_of(step: SubmittedStep, served_model: str) -> NodeStatus:
    """Where ``step`` was sampled, as far as it says so. ``served_model``: what it is taken for where it names none."""
    return NodeStatus(
        node=NODE,
        url="",
        model=step.model or served_model,
        version=step.policy_version or 0,
        health="ready",
        logprobs_mode=step.logprobs_mode,
        max_model_len=0,
        at=now(),
    )


def _named(step: SubmittedStep, at: str, tenant: str) -> SubmittedStep:
    """``step`` with its trajectory, its group and its id; one that names no trajectory is one of its own."""
    given = checked(step.step_id, f"{at}.step_id") if step.step_id else None
    own = derived_id("trajectory", tenant, given) if given else new_id()
    trajectory_id = checked(step.trajectory_uid, f"{at}.trajectory_uid") if step.trajectory_uid else own
    return msgspec.structs.replace(
        step,
        trajectory_uid=trajectory_id,
        prompt_uid=checked(step.prompt_uid, f"{at}.prompt_uid") if step.prompt_uid else trajectory_id,
        step_id=given or derived_id("step", tenant, trajectory_id, str(step.step_index)),
    )


def _check(step: SubmittedStep, at: str) -> None:
    for field, problem in _contradictions(step):
        raise _refused(at, field, problem)


def _contradictions(step: SubmittedStep) -> Iterator[tuple[str, str]]:
    """Fields that contradict others or themselves, and why."""
    if step.multi_modal_data:
        yield "multi_modal_data", "it is not kept, and without it the tokens are not what was asked"
    if step.reward is not None and not math.isfinite(step.reward):
        yield "reward", f"{step.reward} is not finite"
    if step.rollout_log_probs is not None:
        counts = len(step.response_ids), len(step.rollout_log_probs)
        if counts[0] != counts[1]:
            yield "rollout_log_probs", f"{counts[1]} log-probabilities for {counts[0]} response_ids"
        if (flaw := bad_logprobs(step.rollout_log_probs)) is not None:
            yield "rollout_log_probs", flaw.detail


def _refused(at: str, field: str, problem: str) -> ApiError:
    return invalid(f"{at}.{field}: {problem}", f"{at}.{field}")
