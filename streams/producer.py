"""The typed producer: idempotent, acknowledged by all in-sync replicas, bounded in memory.

Invariant: a future that resolves means that the broker has the record, once; it resolves, or fails with
``KafkaSendError``, within two minutes. The topic carries the type::

    producer.send(STEPS, step).result()                # from a thread
    await producer.asend(STEPS, step)                  # from a coroutine
"""

import asyncio
import threading
import time
from concurrent.futures import Future
from typing import TypeVar

import confluent_kafka as kafka

from clawstream.schemas import Record, encode
from clawstream.streams.errors import KafkaSendError
from clawstream.streams.metrics import RECORDS_PRODUCED
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import Topic

R = TypeVar("R", bound=Record)
Headers = dict[str, str]

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
                "linger.ms": 1,
                "compression.type": "lz4",
                "partitioner": "murmur2_random",
                "message.max.bytes": settings.max_record_bytes,
                "delivery.timeout.ms": 120_000,
                "queue.buffering.max.messages": 100_000,
                "queue.buffering.max.kbytes": 256 * 1024,
            },
        )
        self._queue_seconds = queue_seconds
        self._closed = threading.Event()
        self._poller = threading.Thread(target=self._poll, name=f"{client_id}-producer", daemon=True)
        self._poller.start()

    def send(self, topic: Topic[R], record: R) -> Future[None]:
        """Queue ``record``; the future resolves once every in-sync replica has it. Raises ``CodecError`` at once."""
        return self.send_bytes(self._settings.name(topic.name), topic.key(record).encode(), encode(record))

    async def asend(
        self, topic: Topic[R], record: R, headers: Headers | None = None, *, queue_seconds: float | None = None
    ) -> None:
        """Send and wait for the acknowledgement without blocking the event loop. ``queue_seconds``: as in the
        producer's own, for this record."""
        name, key, value = self._settings.name(topic.name), topic.key(record).encode(), encode(record)
        deadline = time.monotonic() + (self._queue_seconds if queue_seconds is None else queue_seconds)
        while (future := self._produce(name, key, value, headers)) is None:
            self._check_queue(name, deadline)
            await asyncio.sleep(_POLL_SECONDS)
        await asyncio.wrap_future(future)

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
        deadline = time.monotonic() + self._queue_seconds
        while (future := self._produce(topic, key, value, headers, partition)) is None:
            self._check_queue(topic, deadline)
            time.sleep(_POLL_SECONDS)
        return future

    def _produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers | None,
        partition: int = _BY_KEY,
    ) -> Future[None] | None:
        """Queue one record; ``None`` when the local queue is full."""
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # a waiter that is cancelled must not cancel what Kafka will answer

        def delivered(error: kafka.KafkaError | None, _: kafka.Message) -> None:
            if error is None:
                RECORDS_PRODUCED.labels(topic.removeprefix(self._settings.topic_prefix)).inc()
                future.set_result(None)
            else:
                future.set_exception(_refused(topic, error))

        packed: list[tuple[str, str | bytes | None]] = list((headers or {}).items())
        try:
            self._client.produce(
                topic, value=value, key=key, headers=packed, partition=partition, on_delivery=delivered
            )
        except BufferError:
            return None
        except kafka.KafkaException as error:
            raise _refused(topic, error.args[0]) from error
        return future

    def _check_queue(self, topic: str, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise KafkaSendError(topic, "the local queue is full", retriable=True)

    def flush(self, timeout_seconds: float = 30.0) -> int:
        """Wait for all queued records; how many are still queued."""
        return int(self._client.flush(timeout_seconds))

    def close(self, timeout_seconds: float = 30.0) -> None:
        """Flush and stop. Raises ``KafkaSendError`` when records are left."""
        left = self.flush(timeout_seconds)
        self._closed.set()
        self._poller.join()
        if left:
            self._client.purge()  # else closing waits for them
        self._client.close()
        if left:
            raise KafkaSendError("(any)", f"{left} records unsent after {timeout_seconds} s", retriable=True)

    def _poll(self) -> None:
        while not self._closed.is_set():
            self._client.poll(_POLL_SECONDS)


def _refused(topic: str, error: kafka.KafkaError) -> KafkaSendError:
    too_large = error.code() == kafka.KafkaError.MSG_SIZE_TOO_LARGE
    return KafkaSendError(topic, error.str(), retriable=error.retriable(), too_large=too_large)
