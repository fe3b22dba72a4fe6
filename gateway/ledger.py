"""Writing to the log.

Invariant: a write that returns is acknowledged by Kafka. A write that was begun goes on when its caller is cancelled.
"""

import asyncio
from collections.abc import Mapping
from typing import TypeVar

from clawstream.gateway.errors import unavailable
from clawstream.gateway.identity import TENANT
from clawstream.schemas import CodecError, Feedback, Step
from clawstream.streams.errors import KafkaSendError
from clawstream.streams.producer import Producer
from clawstream.topics import Topic

R = TypeVar("R", Step, Feedback)


WRITER = "gateway"  # header of a record: the process that wrote it
_TENANT_HEADER = "tenant"  # whose it is, so that who follows the log need not decode it


class Ledger:
    """The gateway's hand on ``steps`` and ``feedback``."""

    def __init__(self, producer: Producer, seal_seconds: float, writer: str) -> None:
        """``writer``: names this process in a header of each record, by which it knows its own again."""
        self._producer, self._seal_seconds = producer, seal_seconds
        self._headers = {WRITER: writer}

    async def write(self, topic: Topic[R], record: R) -> None:
        """Return once Kafka has ``record``. Raises ``ApiError`` 503 when it has not said so in time."""
        sending = asyncio.ensure_future(
            self._producer.asend(topic, record, self._headers | {_TENANT_HEADER: record.tenant})
        )
        sending.add_done_callback(_look)
        try:
            async with asyncio.timeout(self._seal_seconds):
                await asyncio.shield(sending)
        except TimeoutError as error:
            raise unavailable(
                f"Kafka did not acknowledge the record for {topic.name} in {self._seal_seconds:g} s", "not_recorded"
            ) from error
        except (KafkaSendError, CodecError) as error:
            raise unavailable(str(error), "not_recorded") from error


def tenant_in(headers: Mapping[str, bytes]) -> str:
    """The tenant that a record's headers name."""
    return headers.get(_TENANT_HEADER, TENANT.encode()).decode(errors="replace")


def _look(sending: "asyncio.Future[None]") -> None:
    """Look at the outcome, so that asyncio does not report one that nobody waited for any more."""
    if not sending.cancelled():
        sending.exception()
