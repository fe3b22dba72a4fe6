"""Every record that a topic carries."""

from clawstream.schemas.control import NodeStatus, UpdateReport, WeightVersion
from clawstream.schemas.feedback import Feedback
from clawstream.schemas.record import Record
from clawstream.schemas.reward import NextState, Reward
from clawstream.schemas.step import Step
from clawstream.schemas.trajectory import Rejection, Sample, Trajectory

RECORDS: tuple[type[Record], ...] = (
    Step,
    Feedback,
    NextState,
    Reward,
    Trajectory,
    Sample,
    Rejection,
    WeightVersion,
    NodeStatus,
    UpdateReport,
)
