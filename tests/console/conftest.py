"""One console for the session: a real broker, a real gateway, ``clawstream console`` as a process, and one browser."""

import uuid
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from clawstream.streams.admin import create_missing
from clawstream.streams.broker import LocalBroker
from clawstream.streams.producer import Producer
from clawstream.streams.settings import KafkaSettings
from tests.console.running import Watched, chromium, process


@pytest.fixture(scope="session")
def topics(broker: LocalBroker) -> KafkaSettings:
    """The topics that the console looks at."""
    settings = KafkaSettings(
        bootstrap_servers=broker.bootstrap_servers, topic_prefix=f"c{uuid.uuid4().hex[:8]}-", partitions=1
    )
    create_missing(settings)
    return settings


@pytest.fixture(scope="session")
def producer(topics: KafkaSettings) -> Iterator[Producer]:
    """Writes what the other apps would."""
    found = Producer(topics, "test")
    yield found
    found.close()


@pytest.fixture(scope="session")
def gateway_url(topics: KafkaSettings) -> Iterator[str]:
    """A gateway without keys."""
    with process(topics, "gateway", "--port", "0", "--drain-seconds", "1") as url:
        yield url


@pytest.fixture(scope="session")
def console_url(topics: KafkaSettings, gateway_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The console."""
    folder = tmp_path_factory.mktemp("console")
    flags = ("--port", "0", "--gateway-url", gateway_url, "--data-dir", str(folder), "--max-days", "36500")
    with process(topics, "console", *flags) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's chromium."""
    with chromium() as found:
        yield found


@pytest.fixture
def watched(browser: Browser, console_url: str) -> Iterator[Watched]:
    """A fresh page of the console; nothing may have been wrong in it."""
    context = browser.new_context(base_url=console_url, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(30_000)
    found = Watched(context.new_page())
    yield found
    context.close()
    assert found.problems == []
