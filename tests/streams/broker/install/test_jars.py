"""Kafka's jars in the cache: fetched once, whole, and by one process at a time."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clawstream.streams.broker import BrokerError
from clawstream.streams.broker.install import jars
from clawstream.streams.broker.install.jars import Jar, default_cache, locked_jars, resolve_jars
from tests.streams.broker.install.test_fetch import a_jar

JARS = (a_jar("one", b"11"), a_jar("two", b"22"))


@pytest.fixture
def fetches(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Fetching that writes ``JARS``, slowly, and notes where."""
    done: list[Path] = []

    def write(wanted: Sequence[Jar], folder: Path) -> None:
        for jar in wanted:
            (folder / jar.name).write_bytes(b"x" * jar.size_bytes)
        time.sleep(0.05)
        done.append(folder)

    monkeypatch.setattr(jars, "fetch_jars", write)
    monkeypatch.setattr(jars, "locked_jars", lambda: JARS)
    return done


def test_the_lock_file_names_every_jar_once() -> None:
    locked = locked_jars()
    assert len({jar.name for jar in locked}) == len(locked) == 47
    assert all(len(jar.sha256) == 64 for jar in locked)
    versions = {jar.version for jar in locked if jar.group == "org.apache.kafka"}
    assert versions == {"4.3.1"}, "every part of Kafka has one version"


def test_a_second_call_fetches_nothing(fetches: list[Path], tmp_path: Path) -> None:
    folder = resolve_jars(tmp_path)
    assert resolve_jars(tmp_path) == folder == tmp_path / "kafka-4.3.1"
    assert len(fetches) == 1


def test_two_at_once_fetch_once(fetches: list[Path], tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(resolve_jars, [tmp_path] * 4))) == 1
    assert len(fetches) == 1


@pytest.mark.parametrize("damage", [lambda jar: jar.unlink(), lambda jar: jar.write_bytes(b"")], ids=["lost", "cut"])
def test_a_damaged_folder_is_fetched_again(damage: object, fetches: list[Path], tmp_path: Path) -> None:
    folder = resolve_jars(tmp_path)
    assert callable(damage)
    damage(folder / JARS[0].name)
    assert resolve_jars(tmp_path) == folder
    assert len(fetches) == 2


def test_what_a_killed_fetch_left_is_thrown_away(fetches: list[Path], tmp_path: Path) -> None:
    left = tmp_path / "kafka-4.3.1.partial" / "stranger.jar"
    left.parent.mkdir()
    left.write_bytes(b"half")
    folder = resolve_jars(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == sorted(jar.name for jar in JARS)
    assert not left.exists()


def test_a_failed_fetch_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(*_: object) -> None:
        raise BrokerError("no network")

    monkeypatch.setattr(jars, "fetch_jars", fail)
    with pytest.raises(BrokerError, match="no network"):
        resolve_jars(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kafka-4.3.1.lock"]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    cache = tmp_path / "file"
    cache.write_text("")
    with pytest.raises(BrokerError, match=f"the cache {cache} of Kafka's jars cannot be written"):
        resolve_jars(cache)


def test_the_cache_is_the_users(tmp_path: Path) -> None:
    assert default_cache({"XDG_CACHE_HOME": str(tmp_path)}) == tmp_path / "clawstream"
    assert default_cache({}) == Path.home() / ".cache" / "clawstream"
