"""The typed producer: idempotent, acknowledged by all in-sync replicas, bounded in memory.

Invariant: a future that resolves means that the broker has the record, once; it resolves, or fails with
``KafkaSendError``, within two minutes. The topic carries the type::

    producer.send(STEPS, step).result()                # from a thread
    await producer.asend(STEPS, step)                  # from a coroutine

Acknowledgements that come together reach the event loop together: waking it is most of what one of them costs. After
an error that librdkafka calls fatal (it lost count of what the broker has) nothing can be sent; ``broken`` tells::

    SENDING ─ a fatal error ─> BROKEN: what is queued fails, so does every send, and ``close`` says why
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import cache
from typing import TypeVar

import confluent_kafka as kafka

from clawstream.schemas import Record, encode
from clawstream.streams.errors import KafkaSendError, ProducerBrokenError
from clawstream.streams.process.metrics import RECORDS_PRODUCED
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.batch import Batch, Settle
from clawstream.topics import Topic

R = TypeVar("R", bound=Record)
Headers = dict[str, str]
OnDelivery = Callable[[kafka.KafkaError | None, kafka.Message], None]
_Answered = tuple["asyncio.Future[None]", KafkaSendError | None]

_POLL_SECONDS = 0.05
_BY_KEY = -1


class Producer:
    """Sends records of any topic. Safe to share between threads; close it once, at the end."""

    def __init__(self, settings: KafkaSettings, client_id: str, *, queue_seconds: float = 20.0) -> None:
        """``queue_seconds``: how long a send waits for room while the local queue is full, before it fails."""
        self._settings = settings
        self._client = kafka.Producer(
            settings.client()
            | {
                "client.id": client_id,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 0,  # what comes while five requests are on their way is gathered anyway
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "message.max.bytes": settings.max_record_bytes,
                "delivery.timeout.ms": 120_000,
                "queue.buffering.max.messages": 100_000,
                "queue.buffering.max.kbytes": 256 * 1024,
            },
        )
        self._queue_seconds = queue_seconds
        self._produced = cache(lambda topic: RECORDS_PRODUCED.labels(topic.removeprefix(settings.topic_prefix)))
        self._answered: deque[_Answered] = deque()  # by Kafka, and not yet told to the event loop
        self.broken: Future[None] = Future()  # fails with ``ProducerBrokenError`` once nothing can be sent any more
        self.broken.set_running_or_notify_cancel()  # who watches it may stop; it goes on for others
        self._closed = threading.Event()
        self._poller = threading.Thread(target=self._poll, name=f"{client_id}-producer", daemon=True)
        self._poller.start()

    def send(self, topic: Topic[R], record: R) -> Future[None]:
        """Queue ``record``; the future resolves once every in-sync replica has it. Raises ``CodecError`` at once."""
        return self.send_bytes(self._settings.name(topic.name), topic.key(record).encode(), encode(record))

    def asend(
        self, topic: Topic[R], record: R, headers: Headers | None = None, *, queue_seconds: float | None = None
    ) -> asyncio.Future[None]:
        """As ``send``, for who awaits it in the event loop. A record that is sent stays sent when the future is
        cancelled. ``queue_seconds``: as in the producer's own, for this record."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        name, key, value = self._settings.name(topic.name), topic.key(record).encode(), encode(record)

        def settle(error: KafkaSendError | None) -> None:
            self._answered.append((future, error))

        on_delivery = self._delivered(name, settle)
        if self._queue(name, key, value, headers, on_delivery):
            return future
        deadline = time.monotonic() + (self._queue_seconds if queue_seconds is None else queue_seconds)

        async def wait_for_room() -> None:
            while not self._queue(name, key, value, headers, on_delivery):
                self._check_queue(name, deadline)
                await asyncio.sleep(_POLL_SECONDS)
            await future

        return loop.create_task(wait_for_room())

    def send_bytes(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None = None,
        *,
        partition: int = _BY_KEY,
    ) -> Future[None]:
        """Queue raw bytes; for dead letters, tombstones and changelogs. The key says which partition, unless given."""
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # a waiter that is cancelled must not cancel what Kafka will answer

        def settle(error: KafkaSendError | None) -> None:
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        on_delivery = self._delivered(topic, settle)
        self._enter(topic, lambda: self._queue(topic, key, value, headers, on_delivery, partition))
        return future

    def batch(self) -> Batch:
        """Many records that are waited for together: one future costs less than one for each."""
        told = dict[str, OnDelivery]()  # by topic: one function costs less than one for each record

        def queue(topic: str, key: bytes | None, value: bytes | None, partition: int | None, settle: Settle) -> None:
            if topic not in told:
                told[topic] = self._delivered(topic, settle)
            at = _BY_KEY if partition is None else partition
            self._enter(topic, lambda: self._queue(topic, key, value, None, told[topic], at))

        return Batch(queue, self._settings)

    def _delivered(self, topic: str, settle: Settle) -> OnDelivery:
        """What librdkafka is to call for a record of ``topic`` once Kafka has answered."""
        produced = self._produced(topic)

        def delivered(error: kafka.KafkaError | None, _: kafka.Message) -> None:
            if error is None:
                produced.inc()
            settle(None if error is None else _refused(topic, error))

        return delivered

    def _enter(self, topic: str, queued: Callable[[], bool]) -> None:
        """Have one record ``queued``, and wait for room. Raises ``KafkaSendError`` when there is none for long."""
        deadline: float | None = None
        while not queued():
            deadline = deadline or time.monotonic() + self._queue_seconds
            self._check_queue(topic, deadline)
            time.sleep(_POLL_SECONDS)

    def _queue(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None,
        on_delivery: OnDelivery,
        partition: int = _BY_KEY,
    ) -> bool:
        """Queue one record; False when the local queue is full."""
        packed: list[tuple[str, str | bytes | None]] = list(headers.items()) if headers else []
        try:
            self._client.produce(
                topic, value=value, key=key, headers=packed, partition=partition, on_delivery=on_delivery
            )
        except BufferError:
            return False
        except kafka.KafkaException as error:
            raise _refused(topic, error.args[0]) from error
        return True

    def _check_queue(self, topic: str, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise KafkaSendError(topic, "the local queue is full", retriable=True)

    def flush(self, timeout_seconds: float = 30.0) -> int:
        """Wait for all queued records; how many are still queued."""
        with self._watched():
            self._client.flush(timeout_seconds)
        self._tell_loops()
        return len(self._client)

    def close(self, timeout_seconds: float = 30.0) -> None:
        """Flush and stop. Raises ``KafkaSendError`` when records are left, ``ProducerBrokenError`` when it broke."""
        left = self.flush(timeout_seconds)
        self._closed.set()
        self._poller.join()
        if left:
            self._client.purge()  # else closing waits for them
        self._client.close()
        if self.broken.done():
            self.broken.result()
        if left:
            raise KafkaSendError("(any)", f"{left} records unsent after {timeout_seconds} s", retriable=True)

    def _poll(self) -> None:
        while not self._closed.is_set():
            with self._watched():
                self._client.poll(_POLL_SECONDS)
            self._tell_loops()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Librdkafka raises a fatal error once, in whichever call comes next; after it what is queued is still told."""
        try:
            yield
        except kafka.KafkaException as error:
            self.broken.set_exception(
                ProducerBrokenError(f"Kafka takes nothing from this process any more: {error.args[0].str()}")
            )

    def _tell_loops(self) -> None:
        """Hand what Kafka has answered to the event loops that wait for it, all at once."""
        by_loop: dict[asyncio.AbstractEventLoop, list[_Answered]] = {}
        while self._answered:
            answered = self._answered.popleft()
            by_loop.setdefault(answered[0].get_loop(), []).append(answered)
        for loop, answers in by_loop.items():
            with contextlib.suppress(RuntimeError):  # it was closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, answers)


def _settle(answers: "list[_Answered]") -> None:
    for future, error in answers:
        if future.done():
            continue  # cancelled
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _refused(topic: str, error: kafka.KafkaError) -> KafkaSendError:
    too_large = error.code() == kafka.KafkaError.MSG_SIZE_TOO_LARGE
    return KafkaSendError(topic, error.str(), retriable=error.retriable(), too_large=too_large)
