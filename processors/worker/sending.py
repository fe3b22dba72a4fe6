"""Everything that a worker writes: outputs, table changes, dead letters.

Invariant: what returns is acknowledged by Kafka. Faust's own producer is not used: it sends table changes one by one.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence

from clawstream.processors.metrics import OUTPUTS, REJECTIONS
from clawstream.processors.readiness.output import Output
from clawstream.schemas import Rejection
from clawstream.streams.writing.producer import Producer

Change = tuple[int, bytes, bytes | None]  # partition, key, value; None: the key is gone


class Sender:
    """Sends on behalf of one worker."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def outputs(self, outputs: Sequence[Output]) -> None:
        """Return once all ``outputs`` are acknowledged. Raises ``KafkaSendError`` when one is not."""
        batch = self._producer.batch()
        for output in outputs:
            batch.send(output.topic, output.record)
        for topic, count in Counter(output.topic.name for output in outputs).items():
            OUTPUTS.labels(topic).inc(count)
        rejected = (output.record.reason for output in outputs if isinstance(output.record, Rejection))
        for reason, count in Counter(rejected).items():
            REJECTIONS.labels(reason).inc(count)
        await asyncio.wrap_future(batch.sent())

    async def changes(self, changes: Iterable[tuple[str, Change]]) -> None:
        """Return once all ``changes`` are in their changelogs, which come first. Raises ``KafkaSendError``."""
        batch = self._producer.batch()
        for topic, (partition, key, value) in changes:
            batch.send_bytes(topic, key, value, partition=partition)
        await asyncio.wrap_future(batch.sent())
