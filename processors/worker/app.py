"""Faust's application, as the worker needs it. The one file that imports Faust.

Invariant: Faust reads topics and assigns partitions; it writes nothing, keeps no tables and runs no streams. Records
go from its fetcher into the worker's own queue: two tasks and an event for each would cost more than the record does.
"""

import asyncio
import logging
from pathlib import Path
from typing import Any

import faust
from faust.transport.drivers import aiokafka
from faust.types import TP

from clawstream.streams.settings import KafkaSettings

_RAW = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
_YIELD_AFTER = 100
__all__ = ["TP", "Inbox", "make_app", "run_app", "take_from"]

Inbox = asyncio.Queue[Any]  # of Kafka messages as Faust has them


class _Consumer(aiokafka.Consumer):
    """Hands each record straight to the inbox of its topic."""

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                await self.sleep(0)
                await self._pass_on()
        except (asyncio.CancelledError, *self.consumer_stopped_errors):
            app = self.transport.app
            if not (app.should_stop or app.rebalancing):  # Faust would take it for a crash, and end the worker
                raise

    async def _pass_on(self) -> None:
        """One fetch."""
        inboxes: dict[str, Inbox] = self.app.inboxes
        handed = 0
        async for tp, message in self.getmany(timeout=1.0):
            last = self._read_offset[tp]
            if last is not None and message.offset < last:
                continue
            inbox = inboxes[tp.topic]
            if inbox.full() or not self.app.flow_control.is_active():
                await self.wait_first(self._hand(inbox, message), self.suspend_flow.wait())
            else:
                inbox.put_nowait(message)
                handed += 1
                if handed % _YIELD_AFTER == 0:
                    await asyncio.sleep(0)
            self._read_offset[tp] = message.offset

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust would look for streams too, and call the worker stuck after five minutes: there are none."""
        self._thread.verify_recovery_event_path(now, tp)

    async def _hand(self, inbox: Inbox, message: Any) -> None:
        await self.app.flow_control.acquire()
        await inbox.put(message)


class _Transport(aiokafka.Transport):
    Consumer = _Consumer


def make_app(name: str, kafka: KafkaSettings, folder: Path) -> Any:
    """An application without topics yet. Faust wants a ``folder``, and keeps nothing there."""
    brokers = [f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")]
    app = faust.App(
        kafka.name(name),
        broker=brokers,
        broker_credentials=_credentials(kafka),
        datadir=str(folder),
        store="memory://",
        web_enabled=False,
        topic_disable_leader=True,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        broker_commit_interval=1.0,
        broker_max_poll_records=1000,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=kafka.max_record_bytes * 2,
        stream_wait_empty=False,
    )
    app.transport = _Transport(app.conf.broker_consumer, app)
    app.inboxes = {}
    return app


def _credentials(kafka: KafkaSettings) -> Any:
    """Who the worker is to Kafka, as Faust wants it told; None where Kafka does not ask."""
    tls = kafka.ssl_context()
    if kafka.security_protocol.startswith("SASL"):
        return faust.SASLCredentials(
            username=kafka.sasl_username, password=kafka.password, ssl_context=tls, mechanism=kafka.sasl_mechanism
        )
    return None if tls is None else faust.SSLCredentials(tls)


def take_from(app: Any, topic: str, inbox: Inbox) -> None:
    """Records of ``topic`` go to ``inbox``."""
    app.inboxes[topic] = inbox
    aiter(app.topic(topic, **_RAW))  # this is how Faust learns that a topic is read


def run_app(app: Any) -> None:
    """Run ``app`` until SIGTERM."""
    for noisy in ("faust", "mode", "aiokafka", "kafka", __name__):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    worker = faust.Worker(app, loglevel="ERROR", quiet=True, override_logging=False, redirect_stdouts=False)
    worker.execute_from_commandline()
