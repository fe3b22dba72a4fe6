"""Several processes on one port: they share trajectories, are started again, stop together and are counted together."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from typing import Any

import aiohttp
import pytest

from clawstream.gateway.settings import GatewaySettings
from clawstream.gateway.workers import share
from clawstream.schemas.reading.sequences import resolve
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import STEPS
from tests.gateway.fake_node import announce, running, status_of
from tests.gateway.going_on import a_node
from tests.gateway.processes import gateway_process


def test_a_worker_gets_its_share_of_the_pace() -> None:
    settings = share(GatewaySettings(workers=3, trajectories_per_version=10), 81)
    assert (settings.trajectories_per_version, settings.port, settings.workers) == (4, 81, 3)
    assert share(GatewaySettings(workers=2), 81).trajectories_per_version == 0


FAILING = """
from clawstream.gateway.settings import GatewaySettings
from clawstream.gateway.workers import _be_worker
from clawstream.streams.errors import ProducerBrokenError
from clawstream.streams.settings import KafkaSettings

def work(*_):
    raise ProducerBrokenError("Kafka takes nothing from this process any more")

_be_worker(3, "INFO", GatewaySettings(), KafkaSettings(), work)
"""


def test_a_worker_that_cannot_go_on_says_why_in_a_sentence() -> None:
    ended = subprocess.run([sys.executable, "-c", FAILING], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Kafka takes nothing from this process any more" in ended.stderr
    assert "Traceback" not in ended.stderr


async def call(url: str, trajectory: str, messages: list[Any]) -> dict[str, Any]:
    """One call on a connection of its own, so that any worker may get it."""
    async with aiohttp.ClientSession() as http:
        target = f"{url}/{trajectory}/g/v1/chat/completions"
        async with http.post(target, json={"messages": messages}) as answer:
            assert answer.status == 200, await answer.text()
            return dict((await answer.json())["choices"][0]["message"])


async def metrics(url: str) -> str:
    async with aiohttp.ClientSession() as http, http.get(f"{url}/metrics") as answer:
        return await answer.text()


def serving(text: str) -> set[int]:
    """The workers that have been asked for metrics themselves, and so do listen; before, theirs say 0."""
    return {int(pid) for pid in re.findall(r'clawstream_gateway_nodes_live{pid="(\d+)"} 1.0', text)}


async def until_two_workers(url: str, without: int = 0) -> set[int]:
    text = ""
    for _ in range(300):
        with contextlib.suppress(aiohttp.ClientConnectionError):  # a connection that the killed one had
            text = await metrics(url)
        if len(found := serving(text) - {without}) == 2:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(text)


@pytest.mark.kafka
async def test_workers_share_trajectories_and_are_replaced(kafka: KafkaSettings) -> None:
    messages: list[Any] = [{"role": "user", "content": "hi"}]
    async with running(a_node()) as node:
        await announce(kafka, status_of(node))
        async with gateway_process(kafka, "--workers", "2", "--node-seconds", "300") as (process, url):
            found = await until_two_workers(url)
            for turn in range(8):
                if turn == 4:
                    killed = found.pop()
                    os.kill(killed, signal.SIGKILL)
                    await until_two_workers(url, without=killed)
                messages += [await call(url, "t", messages), {"role": "user", "content": f"{turn}?"}]
            counted = re.findall(r"gateway_steps_total{.*?} ([\d.]+)", await metrics(url))
            assert sum(map(float, counted)) == 8
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 20) == 0
    steps = await asyncio.to_thread(read_all, kafka, STEPS)
    assert [step.branch_reason for step in steps] == [None] * 8
    (sequence,) = resolve(steps).sequences
    assert len(sequence.responses) == 8
