"""What ``docs/agents.md`` shows is run as it stands."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from clawstream.streams.settings import KafkaSettings
from tests.agents.summing import adding_node, agents_run
from tests.gateway.harness import gateway

TEXT = (Path(__file__).parents[2] / "docs" / "agents.md").read_text()
DOCUMENTED_URL = "http://127.0.0.1:8100"

pytestmark = pytest.mark.kafka


def block(language: str, number: int = 0) -> str:
    """A fenced block."""
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)[number]


async def test_the_flow(kafka: KafkaSettings, tmp_path: Path) -> None:
    (tmp_path / "sums.py").write_text(block("python"))
    (tmp_path / "sums.jsonl").write_text(block("json"))
    command, *shown = block("console").splitlines()
    flow, *flags = command.removeprefix("$ clawstream agents run ").split()
    async with gateway(kafka, adding_node()) as server:
        async with agents_run(tmp_path, server.url, flow, *flags) as run:
            assert await run.end() == 0, run.err
        assert len(await server.feedback(32)) == 32
    told = run.out.splitlines()
    assert [line[:14] for line in told] == [line[:14] for line in shown]
    assert (told[:2], told[2]) == (shown[:2], "mean reward   1")


async def test_the_client(kafka: KafkaSettings, capsys: Any) -> None:
    async with gateway(kafka, adding_node()) as server:
        assert DOCUMENTED_URL in block("python", 1)
        code = block("python", 1).replace(DOCUMENTED_URL, server.url)
        await asyncio.to_thread(exec, code, {})
        kinds = [each.kind for each in await server.feedback(3)]
    assert kinds == ["opened", "rewarded", "completed"]
    assert capsys.readouterr().out == "7 [10, 11] [-0.5, -0.5]\n"
