"""The two stages over their tables: what to do with a record, and what to do when time passes."""

from clawstream.processors.stages.groups import Groups
from clawstream.processors.stages.stage import Due, Settled, Stage
from clawstream.processors.stages.trajectories import Trajectories

__all__ = ["Due", "Groups", "Settled", "Stage", "Trajectories"]
