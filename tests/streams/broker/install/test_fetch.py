"""Fetching jars: Maven steps in for jgo, what came is verified, and a failure says what was tried."""

import hashlib
import sys
from pathlib import Path

import pytest

from clawstream.streams.broker import BrokerError
from clawstream.streams.broker.install.fetch import fetch_jars
from clawstream.streams.broker.install.jars import Jar

_MAVEN = """#!/bin/sh
for argument in "$@"; do case $argument in -DoutputDirectory=*) folder=${{argument#*=}} ;; esac; done
printf '%s' '{}' > "$folder/one-1.0.jar"
"""


def a_jar(artifact: str = "one", content: bytes = b"11") -> Jar:
    """A jar of that content."""
    sha256 = hashlib.sha256(content).hexdigest()
    return Jar(group="org.example", artifact=artifact, version="1.0", size_bytes=len(content), sha256=sha256)


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The only folder of PATH that holds anything of ours; jgo is not installed."""
    monkeypatch.setitem(sys.modules, "jgo.maven", None)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install_maven(folder: Path, content: str) -> None:
    maven = folder / "mvn"
    maven.write_text(_MAVEN.format(content))
    maven.chmod(0o755)


def test_maven_steps_in(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install_maven(path, "11")
    (tmp_path / "jars").mkdir()
    fetch_jars([a_jar()], tmp_path / "jars")
    assert [found.name for found in (tmp_path / "jars").iterdir()] == ["one-1.0.jar"]
    assert "Fetching Apache Kafka 4.3.1 (1 jars)" in capsys.readouterr().err


def test_a_wrong_jar_is_refused(path: Path, tmp_path: Path) -> None:
    install_maven(path, "22")
    with pytest.raises(BrokerError, match=r"one-1\.0\.jar has SHA-256 785f3ec7eb32…"):
        fetch_jars([a_jar()], tmp_path)


def test_every_way_that_failed_is_named(path: Path, tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"needs a network \(jgo: .*jgo.*; Maven: it is not installed\)$"):
        fetch_jars([a_jar()], tmp_path)
