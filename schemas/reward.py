"""``Reward`` and ``NextState``: what a step or a trajectory led to."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from clawstream.schemas.record import Record, says

RewardKind = Literal["outcome", "process"]
NextStateKind = Literal["reply", "observed"]


class Vote(Record, frozen=True, kw_only=True):
    """One judge's answer, kept as it was given."""

    value: Annotated[float | None, says("parsed vote; null when it could not be read")]
    raw: Annotated[str, says("the judge's whole answer")]


class Reward(Record, frozen=True, kw_only=True):
    """A value given to a trajectory (outcome) or to one of its steps (process)."""

    reward_id: Annotated[str, says("deterministic: the same cause gives the same id")]
    trajectory_id: Annotated[str, says("trajectory rewarded; the record's key")]
    step_id: Annotated[str | None, says("step rewarded; null for an outcome")]
    tenant: Annotated[str, says("owner of the data")]
    value: Annotated[float | None, says("the reward; null means unscored, never zero")]
    source: Annotated[str, says("who gave it")]
    kind: Annotated[RewardKind, says("outcome: whole trajectory; process: one step")]
    at: Annotated[datetime, says("when it was given")]
    votes: Annotated[list[Vote], says("raw votes behind the value")] = msgspec.field(default_factory=list)
    hint: Annotated[str | None, says("hindsight hint, where a judge gave one")] = None
    teacher_logprobs: Annotated[
        bytes | None,
        says("log-probabilities of the step's response tokens under the hinted prompt, packed little-endian float32"),
    ] = None
    unscored: Annotated[str | None, says("why the value is null: a sentence")] = None


class NextState(Record, frozen=True, kw_only=True):
    """What followed a step: tool results, the user's reply, or an explicit observation."""

    next_state_id: Annotated[str, says("deterministic: derived from the step and what followed it")]
    trajectory_id: Annotated[str, says("trajectory of the step; the record's key")]
    step_id: Annotated[str, says("the step that was followed")]
    tenant: Annotated[str, says("owner of the data")]
    messages_json: Annotated[str, says("JSON array of the messages that followed the answer")]
    at: Annotated[datetime, says("when they arrived")]
    kind: Annotated[NextStateKind, says("reply: the next call brought it; observed: feedback said it")] = "reply"
