"""The catalogue of topics. Pure: no I/O, no Kafka client."""

from clawstream.topics.catalogue import (
    CATALOGUE,
    FEEDBACK,
    NEXT_STATES,
    NODES,
    REJECTED,
    REWARDS,
    SAMPLES,
    STEPS,
    TRAJECTORIES,
    UPDATES,
    WEIGHTS,
)
from clawstream.topics.partitioner import partition_of
from clawstream.topics.topic import DAY_MS, Topic

__all__ = [
    "CATALOGUE",
    "DAY_MS",
    "FEEDBACK",
    "NEXT_STATES",
    "NODES",
    "REJECTED",
    "REWARDS",
    "SAMPLES",
    "STEPS",
    "TRAJECTORIES",
    "UPDATES",
    "WEIGHTS",
    "Topic",
    "partition_of",
]
