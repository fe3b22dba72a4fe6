"""``clawstream gateway`` and ``clawstream console`` as processes, and Debian's chromium."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from clawstream.streams.settings import KafkaSettings

IMAGES = Path(__file__).parents[2] / "docs" / "images"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextlib.contextmanager
def process(kafka: KafkaSettings, *arguments: str, extra: dict[str, str] | None = None) -> Iterator[str]:
    """A command of ours, once it serves; its URL. ``extra``: of its environment."""
    environment = os.environ | {
        "CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "CLAWSTREAM_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "PYTHONPATH": os.pathsep.join(sys.path),
        **(extra or {}),
    }
    command = [sys.executable, "-m", "clawstream.cli.main", *arguments]
    child = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    said = list[str]()
    try:
        for line in child.stderr:
            said.append(line)
            if found := re.search(r"serving at (http://[\w.:]+)", line):
                break
        else:
            raise AssertionError(f"{arguments[0]} ended before it served: {''.join(said)}")
        threading.Thread(target=_pass_on, args=(child.stderr,), daemon=True).start()
        yield found[1]
    finally:
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser."""
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A page, and what its console said."""

    def __init__(self, page: Page) -> None:
        self.page, self.problems = page, list[str]()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.type}: {message.text}")


def shot(page: Page, name: str) -> None:
    """A picture for README and docs, where ``SCREENSHOTS`` is set: pytest leaves no changed files by itself."""
    if os.environ.get("SCREENSHOTS"):
        page.screenshot(path=IMAGES / f"console-{name}.png")


def _pass_on(lines: IO[str]) -> None:
    for line in lines:
        sys.stderr.write(line)


def axe() -> str:
    """axe-core's source."""
    import axe_core_python

    return (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
