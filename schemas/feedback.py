"""``Feedback``: what the world says about a trajectory.

States of a trajectory, as told by feedback::

    opened -> (rewarded | observed | curated)* -> completed | aborted
"""

from datetime import datetime
from typing import Annotated, Literal

from clawstream.schemas.record import Record, says

FeedbackKind = Literal["opened", "rewarded", "observed", "completed", "aborted", "curated"]


class Feedback(Record, frozen=True, kw_only=True):
    """One statement from outside about a trajectory or one of its steps."""

    feedback_id: Annotated[str, says("UUIDv7; a repeated id is the same statement")]
    trajectory_id: Annotated[str, says("trajectory it is about; the record's key")]
    group_id: Annotated[str, says("group of the trajectory")]
    tenant: Annotated[str, says("owner of the data")]
    channel: Annotated[str | None, says("channel named by an opening; null leaves it as it is")]
    kind: Annotated[FeedbackKind, says("opened, rewarded, observed, completed, aborted or curated")]
    source: Annotated[str, says("who said it, such as agent or console")]
    at: Annotated[datetime, says("when the gateway received it")]
    step_id: Annotated[str | None, says("the step it is about; null: the whole trajectory")] = None
    reward: Annotated[float | None, says("reward; null is not zero")] = None
    group_size: Annotated[int | None, says("rollouts that the group waits for, where the agent says so")] = None
    detail_json: Annotated[str | None, says("JSON object: metadata of an opening, content of an observation")] = None
