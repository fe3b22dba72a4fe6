"""``Row``: one sequence of one trajectory, with everything that was said of it.

Invariant: ``tokens`` are what the engine saw and sampled, and only those in ``responses`` were sampled; a row names the
steps it is made of and where in the log each lies, so everything in it can be traced and found again.
"""

from datetime import datetime

import msgspec

from clawstream.schemas import PolicySpan, ResponseSpan


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A step that the row is made of, and where it lies in ``steps``."""

    step_id: str
    partition: int
    offset: int


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A reward, as far as a dataset keeps it."""

    source: str
    kind: str  # outcome: of the whole trajectory; process: of one step
    step_id: str | None
    value: float | None
    hint: str | None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a dataset."""

    row_id: str  # derived from what it is made of
    tenant: str
    group_id: str
    trajectory_id: str
    sample_id: str | None  # the sample that it is a sequence of; null where the pipeline made none
    sequence: int  # number of the sequence in its sample or trajectory
    agent: str
    channel: str
    model: str
    node: str  # that sampled the last answer
    messages_json: str  # the conversation, the last answer included
    tools_json: str | None
    metadata_json: str | None  # as the trajectory was opened with
    ended_by: str | None  # completed or aborted, as the agent said; null: it said nothing
    finish_reason: str  # of the last answer
    tokens: bytes  # [T] packed int32
    logprobs: bytes  # [T] packed float32, 0 where not sampled
    logprobs_mode: str
    responses: list[ResponseSpan]
    policy_spans: list[PolicySpan]
    policy_version_min: int | None
    policy_version_max: int | None
    token_count: int
    response_token_count: int
    turn_count: int  # answers in the conversation that this row samples
    reward: float | None
    rewards: list[Said]
    group_size: int | None  # members with a reward when the group closed; null without a sample
    group_reward_mean: float | None
    group_reward_std: float | None
    tags: list[str]  # of reviewers
    quality: str | None  # the newest word of a reviewer
    sources: list[Source]  # every step of the conversation, first to last
    started_at: datetime  # when its first call was received
    finished_at: datetime  # when its last answer was complete


FIELDS = Row.__struct_fields__
