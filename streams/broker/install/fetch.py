"""Fetch jars by their Maven coordinates: with ``jgo`` (pure Python), else with Maven where it is installed.

Each jar is named with its exact version, so neither tool resolves anything. (jgo 3.2.0 would resolve wrongly: it lets
log4j's dependency management replace kafka-clients 4.3.1 with 3.9.1.)
"""

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from clawstream.streams.broker.config import KAFKA_VERSION
from clawstream.streams.broker.errors import BrokerError
from clawstream.streams.broker.install.locked import Jar
from clawstream.streams.broker.install.progress import Advance, download_progress

_DOWNLOADS_AT_ONCE = 4
_MAVEN_TIMEOUT_SECONDS = 600
_POM = """<project><modelVersion>4.0.0</modelVersion>
<groupId>clawstream</groupId><artifactId>jars</artifactId><version>1</version><dependencies>
{}</dependencies></project>
"""
_DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version></dependency>\n"


def fetch_jars(jars: Sequence[Jar], folder: Path) -> None:
    """Put every one of ``jars`` into ``folder``, verified. Raises ``BrokerError`` that says why no tool could."""
    total_bytes = sum(jar.size_bytes for jar in jars)
    failures = []
    with download_progress(f"Fetching Apache Kafka {KAFKA_VERSION} ({len(jars)} jars)", total_bytes) as advance:
        for tool, fetch in (("jgo", fetch_with_jgo), ("Maven", fetch_with_maven)):
            try:
                fetch(jars, folder, advance)
                return
            except (BrokerError, OSError, RuntimeError, ImportError, subprocess.SubprocessError) as error:
                failures.append(f"{tool}: {_brief(error)}")
        raise BrokerError(
            f"the jars of Apache Kafka {KAFKA_VERSION} cannot be fetched; the first start needs a network "
            f"({'; '.join(failures)})"
        )


def fetch_with_jgo(jars: Sequence[Jar], folder: Path, advance: Advance) -> None:
    """Download each jar with jgo, a few at a time, into ``folder``."""
    from jgo.maven import MavenContext, PythonResolver

    def count(name: str, size_bytes: int) -> AbstractContextManager[Advance]:
        del name, size_bytes
        return nullcontext(advance)

    # a repository of its own: jgo writes in place, and one that is killed would leave half a jar in ~/.m2
    repository = folder / "repository"
    context = MavenContext(resolver=PythonResolver(progress_callback=count), repo_cache=repository)

    def one(jar: Jar) -> None:
        path = Path(context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve())
        _verify(jar, path)
        path.replace(folder / jar.name)

    _each(one, jars)
    shutil.rmtree(repository)


def fetch_with_maven(jars: Sequence[Jar], folder: Path, advance: Advance) -> None:
    """Have Maven copy each jar into ``folder``; it uses the mirrors and proxies of the user's Maven settings."""
    maven = shutil.which("mvn")
    if maven is None:
        raise BrokerError("it is not installed")
    pom = folder / "pom.xml"
    pom.write_text(_POM.format("".join(_DEPENDENCY.format(jar.group, jar.artifact, jar.version) for jar in jars)))
    goal = ["dependency:copy-dependencies", "-DexcludeTransitive=true", f"-DoutputDirectory={folder}"]
    command = [maven, "--batch-mode", "--quiet", "--file", str(pom), *goal]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=_MAVEN_TIMEOUT_SECONDS, check=False)
    if finished.returncode != 0:
        raise BrokerError(next((line for line in finished.stdout.splitlines() if "ERROR" in line), "Maven failed"))
    pom.unlink()
    for jar in jars:
        _verify(jar, folder / jar.name)
        advance(jar.size_bytes)


def _each(act: Callable[[Jar], None], jars: Sequence[Jar]) -> None:
    pool = ThreadPoolExecutor(_DOWNLOADS_AT_ONCE)
    try:
        for _ in pool.map(act, jars):
            pass
    finally:
        pool.shutdown(cancel_futures=True)


def _verify(jar: Jar, path: Path) -> None:
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != jar.sha256:
        raise BrokerError(f"{jar.name} has SHA-256 {found[:12]}…, and jars.lock asks for {jar.sha256[:12]}…")


def _brief(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else f"{text[:160]}…"
