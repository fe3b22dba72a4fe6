"""Faust's application and tables, as the worker needs them. The one file that imports Faust.

Invariant: Faust reads topics, assigns partitions and recovers tables; it writes nothing.
"""

import logging
from pathlib import Path
from typing import Any

import faust
from faust.types import TP

from clawstream.streams.settings import KafkaSettings

RAW = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}
__all__ = ["RAW", "TP", "PartitionedTable", "make_app", "run_app"]


class PartitionedTable(faust.Table):
    """A table whose changes wait until they are sent together, into the partition of each key's owner.

    Faust would send each change by itself, and refuses those that a timer makes.
    """

    changed: dict[bytes, bytes | None]

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.changed = {}

    def on_key_set(self, key: bytes, value: bytes) -> None:
        """Remember the newest value."""
        self.changed[key] = value

    def on_key_del(self, key: bytes) -> None:
        """Remember that the key is gone."""
        self.changed[key] = None


def make_app(name: str, kafka: KafkaSettings, partitions: int, folder: Path) -> Any:
    """An application on topics of ``partitions`` partitions. Faust wants a ``folder``, and keeps nothing there."""
    brokers = [f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")]
    return faust.App(
        kafka.name(name),
        broker=brokers,
        datadir=str(folder),
        store="memory://",
        web_enabled=False,
        topic_partitions=partitions,
        topic_replication_factor=kafka.replication_factor,
        topic_disable_leader=True,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        broker_commit_interval=1.0,
        broker_max_poll_records=1000,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=kafka.max_record_bytes * 2,
        stream_wait_empty=False,
    )


def run_app(app: Any) -> None:
    """Run ``app`` until SIGTERM."""
    for noisy in ("faust", "mode", "aiokafka", "kafka", __name__):  # ours, for tables log under their module
        logging.getLogger(noisy).setLevel(logging.ERROR)
    worker = faust.Worker(app, loglevel="ERROR", quiet=True, override_logging=False, redirect_stdouts=False)
    worker.execute_from_commandline()
