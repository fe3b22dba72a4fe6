"""A node that can add, a runner as a process, and flows that a test writes."""

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tests.gateway.fake_node import DONE, FakeNode
from tests.gateway.samples import answer_data, completion_data

PROMPT, RESPONSE = [1, 2, 3], [10, 11]


def adding_node(seconds: float = 0.0, hold: asyncio.Event | None = None) -> FakeNode:
    """Answers ``3 + 4`` in the first message with ``7``, after ``seconds`` and once ``hold`` is set."""

    def script(body: dict[str, Any]) -> list[Any]:
        waits: list[Any] = [*([seconds] if seconds else []), *([hold] if hold is not None else [])]
        if "prompt" in body:
            return [*waits, *completion_data(body["prompt"], RESPONSE), DONE]
        said = re.search(r"(\d+) \+ (\d+)", str(body["messages"][0]["content"]))
        text = str(int(said[1]) + int(said[2])) if said else "hello"
        return [*waits, *answer_data(PROMPT * len(body["messages"]), RESPONSE, text=text), DONE]

    return FakeNode(script=script)


def write_tasks(folder: Path, *tasks: dict[str, Any]) -> Path:
    """A task file."""
    path = folder / "tasks.jsonl"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, tasks)))
    return path


@dataclass(kw_only=True)
class Run:
    """A run of ``clawstream agents run``; the outputs are there at its end."""

    process: asyncio.subprocess.Process
    out: str = ""
    err: str = ""

    async def end(self, seconds: float = 60.0) -> int:
        """Wait for its end; the exit status."""
        out, err = await asyncio.wait_for(self.process.communicate(), seconds)
        self.out, self.err = out.decode(), err.decode()
        assert self.process.returncode is not None
        return self.process.returncode


@contextlib.asynccontextmanager
async def agents_run(folder: Path, url: str, flow: str, *flags: str) -> AsyncIterator[Run]:
    """``clawstream agents run`` in ``folder``, on its ``tasks.jsonl`` unless ``flags`` name another."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)), "COLUMNS": "200"}
    given = ("--tasks", "tasks.jsonl", "--base-url", url, *flags)
    command = [sys.executable, "-m", "clawstream.cli.main", "agents", "run", flow, *given]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=pipe, stderr=pipe)
    try:
        yield Run(process=process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
