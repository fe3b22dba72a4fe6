"""Shared fixtures: one real broker per session, and topics of its own for each test that asks."""

import uuid
from collections.abc import Iterator

import pytest

from clawstream.streams.admin import create_missing
from clawstream.streams.broker import LocalBroker
from clawstream.streams.settings import KafkaSettings
from tests.vllm_node import node

__all__ = ["broker", "kafka", "node"]


@pytest.hookimpl(tryfirst=True)  # before xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in several processes, a file's stay together, and so do all that need vLLM: it is started once."""
    for item in items:
        together = "vllm" if item.get_closest_marker("vllm") else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(together))


@pytest.fixture(scope="session")
def broker() -> Iterator[LocalBroker]:
    """A real Apache Kafka on a free port, gone with the session."""
    with LocalBroker(port=0, ephemeral=True) as running:
        yield running


@pytest.fixture
def kafka(broker: LocalBroker) -> KafkaSettings:
    """Fresh topics, created, under a prefix of this test alone."""
    settings = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topic_prefix=f"t{uuid.uuid4().hex[:8]}-")
    create_missing(settings)
    return settings
