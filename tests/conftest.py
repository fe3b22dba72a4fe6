"""Shared fixtures: one real broker per session, and topics of its own for each test that asks."""

import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.settings import KafkaSettings
from tests.balance import LongestFirst, turn
from tests.vllm_node import node

if TYPE_CHECKING:
    from tests.kafka_container import KafkaInDocker

# Others use the machine too: no deadlines.
settings.register_profile("shared-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared-machine")

__all__ = ["broker", "kafka", "node"]

# Where bytecode is forbidden, as in many container images, each of hundreds of processes would compile all it imports.
if sys.dont_write_bytecode:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "clawstream" / "bytecode"
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(cache)
    os.environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(cache)}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first."""
    items.sort(key=lambda item: turn(item.nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LongestFirst:
    """How files are given to the processes of ``--numprocesses``."""
    return LongestFirst(config, log)


@pytest.fixture(scope="session")
def broker() -> Iterator["LocalBroker | KafkaInDocker"]:
    """A real Apache Kafka on a free port, gone with the session; in a container with ``TESTS_KAFKA=docker``."""
    if os.environ.get("TESTS_KAFKA") == "docker":
        from tests.kafka_container import KafkaInDocker

        with KafkaInDocker() as contained:
            yield contained
        return
    with LocalBroker(port=0, ephemeral=True) as running:
        yield running


@pytest.fixture
def kafka(broker: LocalBroker) -> KafkaSettings:
    """Fresh topics, created, under a prefix of this test alone."""
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topic_prefix=f"t{uuid.uuid4().hex[:8]}-")
    create_missing(settings)
    return settings
