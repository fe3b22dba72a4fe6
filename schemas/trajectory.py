"""``Trajectory``, ``Sample`` and ``Rejection``: what became of the steps.

Invariant: a sequence is what the engine saw, token by token; only tokens inside ``responses`` were sampled, and only
they have a log-probability and a policy version::

    tokens     s  u1 | a1 a1 | t1 | a2 a2 a2
    responses          [2,4)         [5,8)
"""

from datetime import datetime
from typing import Annotated

import msgspec

from clawstream.schemas.record import Record, says
from clawstream.schemas.reward import Reward
from clawstream.schemas.step import PolicySpan


class ResponseSpan(Record, frozen=True, kw_only=True):
    """The tokens of a sequence that one step sampled."""

    step_id: Annotated[str, says("step that sampled them")]
    start: Annotated[int, says("first sampled token's position in the sequence")]
    end: Annotated[int, says("one past the last sampled token's position")]
    temperature: Annotated[float, says("sampling temperature of the step")]
    model: Annotated[str, says("model that sampled them, whose versions count for them; empty: not said")] = ""


class Sequence(Record, frozen=True, kw_only=True):
    """One linear run of tokens; a trajectory has one, and one more for each branch."""

    tokens: Annotated[bytes, says("all T token ids, packed little-endian int32")]
    logprobs: Annotated[bytes, says("T behaviour log-probabilities, 0 where not sampled, packed little-endian float32")]
    responses: Annotated[list[ResponseSpan], says("sampled runs, in order")]
    policy_spans: Annotated[list[PolicySpan], says("policy versions of the sampled runs, by position in the sequence")]


class Trajectory(Record, frozen=True, kw_only=True):
    """A closed trajectory: its trainable sequences and the rewards joined to it."""

    trajectory_id: Annotated[str, says("the trajectory")]
    group_id: Annotated[str, says("its group; the record's key")]
    tenant: Annotated[str, says("owner of the data")]
    agent: Annotated[str, says("name of the agent")]
    channel: Annotated[str, says("train, val or a name of the user's")]
    opened_at: Annotated[datetime, says("when its first event arrived")]
    closed_at: Annotated[datetime, says("when its closing event arrived or its time-out passed")]
    closed_by: Annotated[str, says("completed, aborted, idle or max_age")]
    step_ids: Annotated[list[str], says("trainable steps, in log order")]
    sequences: Annotated[list[Sequence], says("their tokens, shared prefixes written once per branch")]
    rewards: Annotated[list[Reward], says("every reward joined, each source kept apart")]
    logprobs_mode: Annotated[str, says("how the engine gave log-probabilities")]
    group_size: Annotated[int | None, says("rollouts that the group waits for; null: as configured")] = None
    metadata_json: Annotated[str | None, says("JSON object given when it was opened")] = None
    amends: Annotated[bool, says("true: newer rewards and exclusions of a trajectory that was told before")] = False
    excluded_step_ids: Annotated[list[str], says("steps told before that must not train any more")] = msgspec.field(
        default_factory=list
    )


class GroupStatistics(Record, frozen=True, kw_only=True):
    """The group a sample was closed with: its members that had a reward."""

    size: Annotated[int, says("members with a reward")]
    expected_size: Annotated[int, says("members that the group waited for")]
    reward_mean: Annotated[float, says("mean outcome reward of the members")]
    reward_std: Annotated[float, says("unbiased standard deviation of it, 0 for one member")]
    closed_by: Annotated[str, says("complete or deadline")]


class Sample(Record, frozen=True, kw_only=True):
    """A training-ready trajectory with its group's statistics."""

    sample_id: Annotated[str, says("deterministic: derived from the trajectory")]
    trajectory_id: Annotated[str, says("trajectory it holds")]
    group_id: Annotated[str, says("its group; the record's key")]
    tenant: Annotated[str, says("owner of the data")]
    agent: Annotated[str, says("name of the agent")]
    channel: Annotated[str, says("train, val or a name of the user's")]
    step_ids: Annotated[list[str], says("steps that it holds")]
    sequences: Annotated[list[Sequence], says("their tokens, shared prefixes written once per branch")]
    reward: Annotated[float, says("combined outcome reward")]
    rewards: Annotated[list[Reward], says("every reward behind it")]
    group: Annotated[GroupStatistics, says("statistics of its group")]
    logprobs_mode: Annotated[str, says("how the engine gave log-probabilities")]
    ready_at: Annotated[datetime, says("when the group closed")]


class Rejection(Record, frozen=True, kw_only=True):
    """A step that will not train, and why."""

    rejection_id: Annotated[str, says("deterministic: derived from the step")]
    trajectory_id: Annotated[str, says("its trajectory; the record's key")]
    step_id: Annotated[str, says("the step")]
    group_id: Annotated[str, says("its group")]
    tenant: Annotated[str, says("owner of the data")]
    channel: Annotated[str, says("its channel")]
    reason: Annotated[str, says("one word: untrainable, aborted, reward_missing, group_too_small, late, side")]
    detail: Annotated[str, says("a sentence with names and numbers")]
    at: Annotated[datetime, says("when it was decided")]
