"""Which partitions a worker takes for its own."""

import pytest

from clawstream.processors.worker.app import TP
from clawstream.processors.worker.pipeline import GROUP, SOURCES
from clawstream.processors.worker.positions import Positions
from clawstream.streams.errors import PartitionsAddedError
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import STEPS

pytestmark = pytest.mark.kafka


def test_a_partition_that_was_added_since_is_nobodys(kafka: KafkaSettings) -> None:
    positions, name = Positions(kafka, GROUP, SOURCES), kafka.name(STEPS.name)
    key = next(f"t{n}".encode() for n in range(100) if positions.partition_of(f"t{n}".encode()) == 1)
    positions.assign({TP(name, 1)})
    assert positions.owns(key, (STEPS,))
    with pytest.raises(PartitionsAddedError, match=f"{name} was made with 4 partitions and has more now"):
        positions.assign({TP(name, 1), TP(name, 4)})
