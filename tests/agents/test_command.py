"""``clawstream agents run`` as a process, against a real gateway on a real Kafka."""

import asyncio
import collections
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from clawstream.schemas import Feedback
from clawstream.schemas.reading.sequences import resolve
from clawstream.streams.process.ports import free_port
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import FEEDBACK, STEPS
from tests.agents.summing import adding_node, agents_run, write_tasks
from tests.gateway.fake_node import announce, running, status_of
from tests.gateway.harness import gateway, until
from tests.gateway.processes import gateway_process

ASYNC_FLOW = """
class Sums:
    def __init__(self, trajectory):
        self.trajectory = trajectory

    async def run(self, task):
        if task.get("fails"):
            raise KeyError(task["fails"])
        messages = [{"role": "user", "content": task["question"]}]
        for _ in range(task.get("turns", 1)):
            answer = await self.trajectory.chat(messages)
            messages += [answer.message, {"role": "user", "content": "Sure?"}]
        return answer.text == task["answer"]
"""
SYNC_FLOW = ASYNC_FLOW.replace("async def", "def").replace("await ", "")
ODD_FLOW = """
import asyncio, sys
class Odd:
    def __init__(self, trajectory):
        self.trajectory = trajectory
        if trajectory.place.metadata["task"] == "unmade":
            raise RuntimeError("no flow")

    async def run(self, task):
        match task["id"]:
            case "slow":
                await asyncio.sleep(60)
            case "exits":
                sys.exit("bye")
            case "cancels":
                raise asyncio.CancelledError
            case "nan":
                return float("nan")
            case "text":
                return "1"
            case "aborts":
                await self.trajectory.abort("gave up")
            case "completes":
                await self.trajectory.complete(reward=0.5)
            case "twice":
                await self.trajectory.complete(reward=0.5)
                return 1
            case "unknown":
                return None
"""
SEVEN, WRONG = {"question": "3 + 4", "answer": "7"}, {"question": "3 + 4", "answer": "8"}

pytestmark = pytest.mark.kafka


def ends_of(said: list[Feedback]) -> collections.Counter[str]:
    """How many trajectories there are of each end. Each was opened once and ended once; a repeat has the same id."""
    opened = {each.feedback_id for each in said if each.kind == "opened"}
    ended = {each.feedback_id: each.kind for each in said if each.kind in ("completed", "aborted")}
    assert len(opened) == len(ended) == len({each.trajectory_id for each in said})
    return collections.Counter(ended.values())


@pytest.mark.parametrize("flow", [ASYNC_FLOW, SYNC_FLOW], ids=["async", "sync"])
async def test_groups_are_rolled_out_and_an_exception_costs_its_own_trajectory(
    kafka: KafkaSettings, tmp_path: Path, flow: str
) -> None:
    (tmp_path / "my_flow.py").write_text(flow)
    write_tasks(tmp_path, SEVEN | {"id": "right"}, {"id": "broken", "fails": "no"}, WRONG | {"id": "wrong", "turns": 2})
    flags = ("--rollouts", "3", "--concurrency", "4", "--channel", "val", "--temperature", "0.25", "--max-tokens", "9")
    async with gateway(kafka, node := adding_node()) as server:
        async with agents_run(tmp_path, server.url, "my_flow:Sums", *flags) as run:
            status = await run.end()
        steps, said = await server.steps(9), await server.feedback(18)
    assert status == 1, run.err
    assert run.out.splitlines()[:3] == [
        "tasks         3 of 3",
        "trajectories  6 completed, 3 failed",
        "mean reward   0.5",
    ]
    assert run.out.splitlines()[4:] == ["failed        3 x KeyError: 'no' (my_flow.py:8)"]
    assert "failed: KeyError: 'no' (my_flow.py:8)" in run.err
    assert {(body["temperature"], body["max_tokens"]) for body in node.bodies} == {(0.25, 9)}
    assert {step.channel for step in steps} == {"val"}
    assert ends_of(said) == {"completed": 6, "aborted": 3}
    opened = [each for each in said if each.kind == "opened"]
    assert {each.group_size for each in opened} == {3}
    assert {each.channel for each in opened} == {"val"}
    tasks = collections.defaultdict[str, list[Any]](list)
    for each in opened:
        metadata = json.loads(each.detail_json or "")
        tasks[each.group_id].append(metadata["task"])
        assert metadata.get("fails") == ("no" if metadata["task"] == "broken" else None), "it has the task's fields"
    assert sorted(tasks.values()) == [["broken"] * 3, ["right"] * 3, ["wrong"] * 3]
    aborted = {(each.group_id, each.detail_json) for each in said if each.kind == "aborted"}
    assert aborted == {(next(g for g, t in tasks.items() if "broken" in t), '{"reason":"KeyError: \'no\'"}')}


async def test_whatever_a_flow_does_is_counted_as_what_it_was(kafka: KafkaSettings, tmp_path: Path) -> None:
    (tmp_path / "odd_flow.py").write_text(ODD_FLOW)
    names = ("slow", "exits", "cancels", "nan", "text", "aborts", "completes", "twice", "unknown", "unmade")
    write_tasks(tmp_path, *({"id": name} for name in names))
    async with gateway(kafka) as server:
        async with agents_run(tmp_path, server.url, "odd_flow:Odd", "--rollout-seconds", "1.5") as run:
            status = await run.end()
        said = await server.feedback(20)
    assert status == 1, run.err
    assert run.out.splitlines()[:3] == [
        "tasks         10 of 10",
        "trajectories  2 completed, 8 failed",
        "mean reward   0.5 (1 completed without a reward)",
    ]
    reasons = {
        each.trajectory_id: json.loads(each.detail_json or "")["reason"] for each in said if each.kind == "aborted"
    }
    assert sorted(reasons.values()) == [
        "RuntimeError: no flow",
        "SystemExit: bye",
        "ValueError: a reward is a finite number, not nan",
        "gave up",
        "interrupted",
        "run returned '1'; a reward is a number, or None where it is not known yet",
        "run took longer than 1.5 s",
    ]
    assert ends_of(said) == {"completed": 3, "aborted": 7}


@pytest.mark.parametrize("flow", [ASYNC_FLOW, SYNC_FLOW], ids=["async", "sync"])
async def test_ctrl_c_aborts_what_is_open(kafka: KafkaSettings, tmp_path: Path, flow: str) -> None:
    (tmp_path / "my_flow.py").write_text(flow)
    write_tasks(tmp_path, *[SEVEN] * 5)
    node = adding_node(hold=asyncio.Event())
    async with gateway(kafka, node) as server:
        flags = ("--rollouts", "2", "--concurrency", "4")
        async with agents_run(tmp_path, server.url, "my_flow:Sums", *flags) as run:
            await until(lambda: len(node.bodies) == 4)
            run.process.send_signal(signal.SIGINT)
            assert await run.end(20) == 130
        said = await server.feedback(8)
    assert ends_of(said) == {"aborted": 4}
    assert {each.detail_json for each in said if each.kind == "aborted"} == {'{"reason":"interrupted"}'}
    assert "trajectories  0 completed, 0 failed, 4 interrupted, 6 not begun" in run.out
    assert "Traceback" not in run.err


@pytest.mark.parametrize("flow", [ASYNC_FLOW, SYNC_FLOW], ids=["async", "sync"])
async def test_a_gateway_that_is_killed_costs_no_trajectory_and_doubles_none(
    kafka: KafkaSettings, tmp_path: Path, flow: str
) -> None:
    (tmp_path / "my_flow.py").write_text(flow)
    write_tasks(tmp_path, *[SEVEN | {"turns": 3}] * 4)
    where = ("--port", str(free_port()), "--node-seconds", "300")
    async with running(adding_node(seconds=0.15)) as node:
        await announce(kafka, status_of(node))
        flags = ("--rollouts", "4", "--concurrency", "8")
        async with (
            gateway_process(kafka, *where) as (first, url),
            agents_run(tmp_path, url, "my_flow:Sums", *flags) as run,
        ):
            await until(lambda: len(node.bodies) >= 20)
            first.kill()
            await first.wait()
            async with gateway_process(kafka, *where):
                status = await run.end()
    assert status == 0, run.err
    assert len(node.bodies) > 16 * 3  # calls were under way when it was killed
    assert "trajectories  16 completed, 0 failed\nmean reward   1\n" in run.out
    steps, said = await asyncio.to_thread(read_all, kafka, STEPS), await asyncio.to_thread(read_all, kafka, FEEDBACK)
    assert len({step.request_key for step in steps}) == 16 * 3
    assert ends_of(said) == {"completed": 16}
    of = collections.defaultdict[str, list[Any]](list)
    for step in steps:
        of[step.trajectory_id].append(step)
    assert len(of) == 16
    for each in of.values():
        refused = {refusal.step.step_id: refusal.reason for refusal in resolve(each).refusals}
        assert set(refused.values()) <= {"superseded"}
        keys = [step.request_key for step in each if step.step_id not in refused]
        assert len(keys) == len(set(keys)) == 3


async def test_a_gateway_that_paces_is_waited_for(kafka: KafkaSettings, tmp_path: Path) -> None:
    (tmp_path / "my_flow.py").write_text(ASYNC_FLOW)
    write_tasks(tmp_path, SEVEN)
    paced = {"trajectories_per_version": 1, "max_policy_lag": 0, "pace_seconds": 1.0}
    async with gateway(kafka, adding_node(), **paced) as server:
        flags = ("--rollouts", "3", "--outage-seconds", "0.1")
        async with agents_run(tmp_path, server.url, "my_flow:Sums", *flags) as run:
            assert await run.end() == 0, run.err
        opened = [each.at for each in await server.feedback(6) if each.kind == "opened"]
    assert (max(opened) - min(opened)).total_seconds() > 1.9


async def test_without_a_gateway_nothing_more_is_begun(kafka: KafkaSettings, tmp_path: Path) -> None:
    (tmp_path / "my_flow.py").write_text(ASYNC_FLOW)
    write_tasks(tmp_path, *[SEVEN | {"turns": 2}] * 50)
    async with running(adding_node(seconds=0.1)) as node:
        await announce(kafka, status_of(node))
        flags = ("--concurrency", "2", "--outage-seconds", "0.5")
        async with (
            gateway_process(kafka, "--node-seconds", "300") as (process, url),
            agents_run(tmp_path, url, "my_flow:Sums", *flags) as run,
        ):
            await until(lambda: len(node.bodies) >= 8)
            process.kill()
            assert await run.end(30) == 1
    assert "clawstream: no more trajectories could be opened: http://127.0.0.1:" in run.err
    assert "not begun" in run.out
    assert "stays open until it is idle" in run.err


@pytest.mark.parametrize(
    ("tasks", "flow", "flags", "said"),
    [
        (b'{"n": 1}\n{"n"\n', "my_flow:Sums", (), "tasks.jsonl:2: "),
        (b'{"n": 1}', "my_flow:Missing", (), "module my_flow has no class Missing"),
        (b'{"n": 1}', "my_flow:Sums", ("--rollouts", "0"), "[agents] rollouts (from flags): "),
        (b'{"n": 1}', "my_flow:Sums", ("--base-url", "localhost"), "'localhost' is no URL of a gateway"),
        (b'{"n": 1}', "my_flow:Sums", (), " gave no answer to models (ConnectError: "),
    ],
)
async def test_what_cannot_be_begun_is_one_sentence(
    tmp_path: Path, tasks: bytes, flow: str, flags: tuple[str, ...], said: str
) -> None:
    (tmp_path / "my_flow.py").write_text(ASYNC_FLOW)
    (tmp_path / "tasks.jsonl").write_bytes(tasks)
    async with agents_run(tmp_path, f"http://127.0.0.1:{free_port()}", flow, *flags) as run:
        assert await run.end() == 2
    assert run.err.startswith("clawstream: ")
    assert said in run.err
    assert len(run.err.splitlines()) == 1
    assert os.linesep not in run.out
