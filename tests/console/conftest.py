"""One console: a real broker, a real gateway, ``clawstream console`` as a process; a browser for each file."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from tokenizers import Tokenizer

from clawstream.gateway.callers.keys import digest_of, new_key
from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from tests.console.a_loop import make_tokenizer
from tests.console.running import Watched, chromium, process

Look = Callable[..., Watched]


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
def keys() -> dict[str, str]:
    """A key of each tenant."""
    return {"default": new_key(), "acme": new_key()}


@pytest.fixture(scope="session")
def gateway_url(topics: KafkaSettings, keys: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway that asks for keys."""
    file = tmp_path_factory.mktemp("gateway") / "keys.toml"
    file.write_text("".join(f'[{tenant}]\nkeys = ["{digest_of(key)}"]\n' for tenant, key in keys.items()))
    with process(topics, "gateway", "--port", "0", "--drain-seconds", "1", "--keys-file", str(file)) as url:
        yield url


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for a tokenizer."""
    return tmp_path_factory.mktemp("model")


@pytest.fixture(scope="session")
def tokenizer(model: Path) -> Tokenizer:
    """The model's."""
    return make_tokenizer(model)


@pytest.fixture(scope="session")
def console_url(
    topics: KafkaSettings, gateway_url: str, model: Path, tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The console."""
    folder = tmp_path_factory.mktemp("console")
    flags = ("--port", "0", "--gateway-url", gateway_url, "--data-dir", str(folder), "--max-days", "36500")
    extra = {"CLAWSTREAM_DATASET_FOLDER": str(folder / "datasets")}
    with process(topics, "console", *flags, "--model", str(model), extra=extra) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's chromium. Not for longer: while Playwright lives, it has this thread's event loop."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def look(browser: Browser, console_url: str, keys: dict[str, str]) -> Look:
    """Opens pages, by tenant, width and colour scheme."""

    def opened(tenant: str = "default", width: int = 1280, scheme: Any = "light") -> Watched:
        size: Any = {"width": width, "height": 900}
        context = browser.new_context(base_url=console_url, viewport=size, color_scheme=scheme)
        context.set_default_timeout(30_000)
        begun = context.request.post("/session", form={"key": keys[tenant], "next": "/login?problem="}, max_redirects=0)
        assert begun.status == 303
        return Watched(context.new_page())

    return opened


@pytest.fixture
def watched(look: Look) -> Iterator[Watched]:
    """A fresh page of the console; nothing may have been wrong in it."""
    found = look()
    yield found
    found.page.context.close()
    assert found.problems == []
