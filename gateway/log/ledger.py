"""Writing to the log.

Invariant: a write that returns is acknowledged by Kafka. A write that was begun goes on when its caller is cancelled or
told that it took too long: what waits for Kafka waits in the producer's queue, which is bounded. Whether Kafka is out
is told from the writes alone::

    FINE ─ a write is not acknowledged in seal_seconds ─> OUT ─ any is acknowledged, or none is under way ─> FINE
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from typing import TypeVar

from clawstream.gateway.callers.identity import TENANT
from clawstream.gateway.errors import ApiError, unavailable
from clawstream.gateway.metrics import RECORDED_LATE, RECORDING
from clawstream.schemas import CodecError, Feedback, Step
from clawstream.streams.errors import KafkaSendError
from clawstream.streams.writing.producer import Producer
from clawstream.topics import Topic

R = TypeVar("R", Step, Feedback)


WRITER = "gateway"  # header of a record: the process that wrote it
NOT_RECORDED = "not_recorded"  # code of an error that may pass
_TENANT_HEADER = "tenant"  # whose it is, so that who follows the log need not decode it
_KIND_HEADER = "kind"  # of feedback, for the same reason


class Ledger:
    """The gateway's hand on ``steps`` and ``feedback``."""

    def __init__(self, producer: Producer, seal_seconds: float, writer: str) -> None:
        """``writer``: names this process in a header of each record, by which it knows its own again."""
        self._producer, self._seal_seconds = producer, seal_seconds
        self._headers = {WRITER: writer}
        self._under_way: set[asyncio.Future[None]] = set()
        self._overdue: set[asyncio.Future[None]] = set()  # of those: whose caller was told that it is not recorded
        self._is_out = False
        RECORDING.set(1)

    @property
    def broken(self) -> Future[None]:
        """Fails with ``ProducerBrokenError`` once this process can record nothing any more."""
        return self._producer.broken

    @property
    def unacknowledged_count(self) -> int:
        """Records that wait for Kafka."""
        return len(self._under_way)

    @property
    def is_out(self) -> bool:
        """Does Kafka acknowledge nothing?"""
        return self._is_out

    def check(self) -> None:
        """Raise ``ApiError`` 503 while Kafka is out."""
        if self._is_out:
            waiting = self.unacknowledged_count
            raise unavailable(f"Kafka acknowledges nothing at present; {waiting} records wait for it", NOT_RECORDED)

    async def write(self, topic: Topic[R], record: R) -> None:
        """Return once Kafka has ``record``. Raises ``ApiError``: 503 when it has not said so in time, 413 or 422 for a
        record that it can never have."""
        sending = self._send(topic, record)
        await _settled(sending, self._seal_seconds)
        if not sending.done():
            self._overdue.add(sending)
            self._set_out(True)
            said = f"Kafka did not acknowledge the record for {topic.name} in {self._seal_seconds:g} s"
            raise unavailable(said, NOT_RECORDED)
        try:
            sending.result()
        except KafkaSendError as error:
            raise _refused(error) from error

    def offer(self, topic: Topic[R], record: R) -> None:
        """Queue ``record`` where there is room, and wait for nothing. Raises ``ApiError`` 413 or 422 as ``write``."""
        self._overdue.add(self._send(topic, record, queue_seconds=0.0))

    def _send(self, topic: Topic[R], record: R, queue_seconds: float | None = None) -> "asyncio.Future[None]":
        headers = self._headers | {_TENANT_HEADER: record.tenant}
        if isinstance(record, Feedback):
            headers[_KIND_HEADER] = record.kind
        try:
            sending = self._producer.asend(topic, record, headers, queue_seconds=queue_seconds)
        except KafkaSendError as error:
            raise _refused(error) from error
        except CodecError as error:
            raise ApiError(422, f"the call cannot be recorded: {error}", code="not_recordable") from error
        self._under_way.add(sending)
        sending.add_done_callback(self._ended)
        return sending

    def _ended(self, sending: "asyncio.Future[None]") -> None:
        self._under_way.discard(sending)
        acknowledged = not sending.cancelled() and sending.exception() is None
        if sending in self._overdue:
            self._overdue.discard(sending)
            RECORDED_LATE.inc(acknowledged)
        if acknowledged or not self._under_way:
            self._set_out(False)

    def _set_out(self, is_out: bool) -> None:
        if is_out == self._is_out:
            return
        self._is_out = is_out
        RECORDING.set(not is_out)


async def _settled(sending: "asyncio.Future[None]", seconds: float) -> None:
    """Wait until ``sending`` is done, ``seconds`` at most; it goes on either way. As ``asyncio.wait``, for one."""
    loop = sending.get_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake(*_: object) -> None:
        if not waiter.done():
            waiter.set_result(None)

    sending.add_done_callback(wake)
    timer = loop.call_later(seconds, wake)
    try:
        await waiter
    finally:
        timer.cancel()


def _refused(error: KafkaSendError) -> ApiError:
    if error.too_large:
        return ApiError(413, f"the call cannot be recorded, its record is too large: {error}", code="not_recordable")
    return unavailable(str(error), NOT_RECORDED)


def tenant_in(headers: Mapping[str, bytes]) -> str:
    """The tenant that a record's headers name."""
    return headers.get(_TENANT_HEADER, TENANT.encode()).decode(errors="replace")


def is_opening(headers: Mapping[str, bytes]) -> bool:
    """Do these headers of feedback say that it opens a trajectory?"""
    return headers.get(_KIND_HEADER) == b"opened"
