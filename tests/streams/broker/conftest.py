"""A broker that keeps its data, for tests that stop it, kill it and start it again."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from clawstream.streams.broker import LocalBroker


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBroker]:
    """A running broker with a data folder of its own. A test that stops it starts it again."""
    # a space, a comma and a letter outside Latin-1: any of them breaks a path in a Java property file
    data_dir: Path = tmp_path_factory.mktemp("kept") / "data, žurnál"
    with LocalBroker(port=0, data_dir=data_dir) as broker:
        yield broker
