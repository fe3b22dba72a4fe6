"""Records with sensible defaults, so that a test names only what it is about."""

from datetime import UTC, datetime
from typing import Any

from clawstream.schemas import (
    Feedback,
    GroupStatistics,
    NodeStatus,
    PolicySpan,
    Rejection,
    ResponseSpan,
    Reward,
    Sample,
    Sequence,
    Step,
    Trajectory,
    UpdateReport,
    WeightVersion,
    new_id,
    pack_logprobs,
    pack_tokens,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def a_step(prompt: list[int] | None = None, response: list[int] | None = None, version: int = 0, **fields: Any) -> Step:
    """A trainable step of trajectory t1 in group g1."""
    prompt, response = prompt or [1, 2], response or [3, 4]
    defaults: dict[str, Any] = {
        "step_id": new_id(),
        "trajectory_id": "t1",
        "group_id": "g1",
        "tenant": "default",
        "agent": "",
        "channel": "train",
        "turn_type": "main",
        "request_key": new_id(),
        "attempt": 1,
        "received_at": NOON,
        "first_token_at": NOON,
        "finished_at": NOON,
        "new_messages_json": '[{"role": "user", "content": "hi"}]',
        "tools_json": None,
        "sampling_json": "{}",
        "text": "hello",
        "reasoning": None,
        "tool_calls_json": None,
        "finish_reason": "stop",
        "prompt_prefix": None,
        "prompt_tokens": pack_tokens(prompt),
        "response_tokens": pack_tokens(response),
        "response_logprobs": pack_logprobs([-0.5] * len(response)),
        "logprobs_mode": "processed_logprobs",
        "temperature": 1.0,
        "policy_spans": [PolicySpan(version=version, start=0, end=len(response))],
        "node": "n1",
        "model": "policy",
        "prompt_token_count": len(prompt),
        "response_token_count": len(response),
        "trainable": True,
        "untrainable_reason": None,
    }
    return Step(**(defaults | fields))


def a_version(version: int = 1, **fields: Any) -> WeightVersion:
    """A version of the model ``policy``."""
    defaults: dict[str, Any] = {
        "model": "policy",
        "uri": f"file:///weights/{version}",
        "sha256": "0" * 64,
        "parent": version - 1,
        "update_id": f"u{version}",
        "created_at": NOON,
    }
    return WeightVersion(version=version, **(defaults | fields))


def a_feedback(kind: str = "completed", **fields: Any) -> Feedback:
    """Feedback on trajectory t1 in group g1."""
    defaults: dict[str, Any] = {
        "feedback_id": new_id(),
        "trajectory_id": "t1",
        "group_id": "g1",
        "tenant": "default",
        "channel": None,
        "kind": kind,
        "source": "agent",
        "at": NOON,
    }
    return Feedback(**(defaults | fields))


def a_sequence(
    prompt: list[int], response: list[int], logprob: float = -0.5, version: int = 0, model: str = ""
) -> Sequence:
    """A sequence of one step."""
    start, end = len(prompt), len(prompt) + len(response)
    return Sequence(
        tokens=pack_tokens(prompt + response),
        logprobs=pack_logprobs([0.0] * len(prompt) + [logprob] * len(response)),
        responses=[ResponseSpan(step_id="s1", start=start, end=end, temperature=1.0, model=model)],
        policy_spans=[PolicySpan(version=version, start=start, end=end)],
    )


def a_reward(value: float | None = 1.0, **fields: Any) -> Reward:
    """An outcome reward of trajectory t1."""
    defaults: dict[str, Any] = {
        "reward_id": new_id(),
        "trajectory_id": "t1",
        "step_id": None,
        "tenant": "default",
        "value": value,
        "source": "agent",
        "kind": "outcome",
        "at": NOON,
    }
    return Reward(**(defaults | fields))


def a_trajectory(**fields: Any) -> Trajectory:
    """A completed trajectory t1 of group g1 with one sequence and reward 1."""
    defaults: dict[str, Any] = {
        "trajectory_id": "t1",
        "group_id": "g1",
        "tenant": "default",
        "agent": "",
        "channel": "train",
        "opened_at": NOON,
        "closed_at": NOON,
        "closed_by": "completed",
        "step_ids": ["s1"],
        "sequences": [a_sequence([1, 2], [3, 4])],
        "rewards": [a_reward()],
        "logprobs_mode": "processed_logprobs",
    }
    return Trajectory(**(defaults | fields))


def a_sample(reward: float = 1.0, mean: float = 0.5, std: float = 0.5, size: int = 2, **fields: Any) -> Sample:
    """A ready sample of trajectory t1 in a closed group of ``size``."""
    defaults: dict[str, Any] = {
        "sample_id": new_id(),
        "trajectory_id": "t1",
        "group_id": "g1",
        "tenant": "default",
        "agent": "",
        "channel": "train",
        "step_ids": ["s1"],
        "sequences": [a_sequence([1, 2], [3, 4])],
        "reward": reward,
        "rewards": [a_reward(reward)],
        "group": GroupStatistics(size=size, expected_size=size, reward_mean=mean, reward_std=std, closed_by="complete"),
        "logprobs_mode": "processed_logprobs",
        "ready_at": NOON,
    }
    return Sample(**(defaults | fields))


def an_update(version: int = 3, **fields: Any) -> UpdateReport:
    """The report of an update of the model ``policy``."""
    defaults: dict[str, Any] = {
        "update_id": f"u{version}",
        "model": "policy",
        "parent": version - 1,
        "algorithm": "ppo",
        "at": NOON,
        "sample_ids": [],
        "discarded": [],
        "response_token_count": 0,
        "reward_mean": 0.0,
        "policy_lag_mean": 0.0,
        "policy_lag_max": 0,
        "consumer_lag_records": 0,
        "seconds": 1.0,
        "metrics": {},
    }
    return UpdateReport(version=version, **(defaults | fields))


def a_rejection(step_id: str, **fields: Any) -> Rejection:
    """One of step ``step_id`` of trajectory ``t1``, which a reviewer took out."""
    defaults: dict[str, Any] = {
        "rejection_id": f"r-{step_id}",
        "trajectory_id": "t1",
        "group_id": "g1",
        "tenant": "default",
        "channel": "train",
        "reason": "curated",
        "detail": "alice took it out",
        "at": NOON,
    }
    return Rejection(step_id=step_id, **(defaults | fields))


def says(node: str, version: int, **fields: Any) -> NodeStatus:
    """What ``node`` says of itself: it serves ``version``."""
    defaults: dict[str, Any] = {
        "url": "http://n",
        "model": "policy",
        "health": "ready",
        "logprobs_mode": "processed_logprobs",
        "max_model_len": 64,
        "at": NOON,
    }
    return NodeStatus(node=node, version=version, **(defaults | fields))
