"""The loop on real parts, and what must hold when its processes die."""

import asyncio
import random
import signal
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from openai import APIError, AsyncOpenAI

from clawstream.dataset.building import build
from clawstream.dataset.manifest import Recipe
from clawstream.dataset.planning import planned
from clawstream.processors.replay.running import Replay
from clawstream.processors.replay.running import run as replay
from clawstream.processors.settings import ProcessorsSettings
from clawstream.schemas import Step, unpack_logprobs, unpack_tokens
from clawstream.streams.broker import LocalBroker
from clawstream.streams.reading.consumer import read_all
from clawstream.topics import NODES, SAMPLES, STEPS, UPDATES
from tests.loop.pipeline import SECTIONS, Pipeline, running, until
from tests.tiny_model import make_tiny_model
from tests.vllm_node import announce

pytestmark = [pytest.mark.loop, pytest.mark.kafka, pytest.mark.vllm, pytest.mark.asyncio(loop_scope="module")]

WORDS = ["red", "green", "blue", "one", "two", "three"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pipeline(broker: LocalBroker, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pipeline]:
    folder: Path = tmp_path_factory.mktemp("loop")
    model = make_tiny_model(folder / "model", seed=1)
    async with running(broker.bootstrap_servers, model, folder) as started:
        yield started


async def call(pipeline: Pipeline, client: AsyncOpenAI, messages: list[dict[str, Any]], **options: Any) -> str:
    """One model call; its text. Notes the step of each answer that arrived."""
    answer = await client.chat.completions.with_raw_response.create(
        model="policy", messages=messages, max_tokens=100, **options
    )
    pipeline.sealed[answer.headers["x-clawstream-step"]] += 1
    return answer.parse().choices[0].message.content or ""


async def trajectory(pipeline: Pipeline, group_id: str, turns: int = 2, **options: Any) -> None:
    """A conversation of ``turns`` calls, rewarded by the length of its last answer."""
    client = pipeline.client(uuid.uuid4().hex, group_id, **options)
    messages: list[dict[str, Any]] = []
    text = ""
    for _ in range(turns):
        messages.append({"role": "user", "content": random.choice(WORDS)})
        text = await call(pipeline, client, messages)
        messages.append({"role": "assistant", "content": text})
    await client.post("/complete_trajectory", cast_to=object, body={"reward": float(len(text) % 2)})
    await client.close()


async def group(pipeline: Pipeline, **options: Any) -> list[BaseException | None]:
    group_id = uuid.uuid4().hex
    runs = [trajectory(pipeline, group_id, **options) for _ in range(4)]
    return await asyncio.gather(*runs, return_exceptions=True)


def spans_of(steps: list[Step]) -> set[int]:
    return {span.version for step in steps for span in step.policy_spans}


async def test_calls_become_updates_and_come_back_as_weights(pipeline: Pipeline) -> None:
    for _ in range(8):
        assert await group(pipeline) == [None] * 4
    await until(lambda: len(pipeline.observed.updates) >= 3)
    await until(lambda: pipeline.observed.served_version == pipeline.observed.trained_version >= 3)
    assert await group(pipeline) == [None] * 4
    versions = [report.version for report in pipeline.observed.updates]
    assert versions == list(range(1, len(versions) + 1))
    assert max(spans_of(read_all(pipeline.kafka, STEPS))) >= 3
    assert any("(swap by transfer, " in line for _, line in pipeline.lines)


async def test_trained_ids_are_the_sampled_ids(pipeline: Pipeline) -> None:
    client = pipeline.client("seen-by-client", "seen-group")
    sampled = []
    messages: list[dict[str, Any]] = []
    for word in WORDS[:3]:
        messages.append({"role": "user", "content": word})
        answer = await client.chat.completions.create(
            model="policy", messages=messages, max_tokens=100, logprobs=True, extra_body={"return_token_ids": True}
        )
        choice: Any = answer.choices[0]
        sampled.append((choice.token_ids, [entry.logprob for entry in choice.logprobs.content]))
        messages.append({"role": "assistant", "content": choice.message.content})
    await client.post("/complete_trajectory", cast_to=object, body={"reward": 1.0})
    await client.close()
    assert all(ids for ids, _ in sampled)

    other = pipeline.client("seen-other", "seen-group")  # a group needs two
    await call(pipeline, other, messages[:1])
    await other.post("/complete_trajectory", cast_to=object, body={"reward": 0.0})
    await other.close()

    def ready() -> list[Any]:
        return [s for s in read_all(pipeline.kafka, SAMPLES) if s.trajectory_id == "seen-by-client"]

    await until(ready)
    trained = {}
    for sequence in ready()[0].sequences:
        tokens, logprobs = unpack_tokens(sequence.tokens), unpack_logprobs(sequence.logprobs)
        for span in sequence.responses:
            trained[span.step_id] = (tokens[span.start : span.end].tolist(), logprobs[span.start : span.end].tolist())
    complete = [step for step in read_all(pipeline.kafka, STEPS) if step.trajectory_id == "seen-by-client"]
    for step, (ids, logprobs) in zip(complete, sampled, strict=True):
        assert unpack_tokens(step.response_tokens).tolist() == ids
        if step.trainable:
            assert trained[step.step_id][0] == ids
            assert trained[step.step_id][1] == pytest.approx(logprobs, abs=1e-5)
    assert set(trained) == {step.step_id for step in complete if step.trainable}


async def test_history_replayed_gives_the_dataset_that_the_live_topics_give(pipeline: Pipeline, tmp_path: Path) -> None:
    await pipeline.account()
    kafka, settings = pipeline.kafka, ProcessorsSettings.model_validate(SECTIONS["processors"])
    assert await asyncio.to_thread(replay, settings, kafka, Replay(into="again")) == 0

    sequences = sum(len(sample.sequences) for sample in read_all(kafka, SAMPLES))  # several where one branches

    def content(judged: str | None) -> str:
        recipe = planned(Recipe(name="loop"), kafka, judged, [])
        manifest = build(recipe, kafka, tmp_path / (judged or "live"), lambda *_: None)
        assert manifest.built.rows == sequences >= manifest.built.records["samples"] > 30
        assert manifest.built.left_out == {}
        return manifest.built.content_sha256

    assert await asyncio.to_thread(content, None) == await asyncio.to_thread(content, "again")


async def test_weights_are_swapped_under_load_with_no_failed_request(pipeline: Pipeline) -> None:
    before = len(pipeline.observed.updates)
    results: list[BaseException | None] = []

    async def worker() -> None:
        while len(pipeline.observed.updates) < before + 5:
            results.extend(await group(pipeline, max_retries=0))

    await asyncio.wait_for(asyncio.gather(*(worker() for _ in range(4))), 300)
    assert len(results) >= 40
    assert [failure for failure in results if failure is not None] == []


@pytest.mark.parametrize(
    "victims", [["gateway"], ["process-0"], ["train"], ["rollout-0"], ["process-0", "train", "gateway"]]
)
async def test_kill_9_loses_nothing_and_doubles_nothing(pipeline: Pipeline, victims: list[str]) -> None:
    pipeline.sealed.clear()
    finished = asyncio.Event()

    async def worker() -> None:
        while not finished.is_set():
            results = await group(pipeline, max_retries=5)
            unexpected = [r for r in results if r is not None and not isinstance(r, APIError)]
            assert unexpected == []

    workers = [asyncio.create_task(worker()) for _ in range(3)]
    for victim in victims:
        await pipeline.answers(24)
        pipeline.kill(victim)
    await pipeline.answers(48)
    finished.set()
    await asyncio.gather(*workers)

    account = await pipeline.account()
    assert (account.steps_open, account.steps_twice) == (0, 0)
    assert account.trained_twice == 0
    recorded = [step.step_id for step in read_all(pipeline.kafka, STEPS)]
    assert len(pipeline.sealed) > 20
    assert all(count == 1 for count in pipeline.sealed.values())
    assert [step_id for step_id in pipeline.sealed if recorded.count(step_id) != 1] == []


async def test_every_sample_is_trained_or_discarded_once(pipeline: Pipeline) -> None:
    """A worker that was killed may have written a sample again, which is discarded as repeated."""

    def uses() -> Counter[str]:
        reports = {report.update_id: report for report in read_all(pipeline.kafka, UPDATES)}.values()
        used = Counter(sample_id for report in reports for sample_id in report.sample_ids)
        discards = [discard for report in reports for discard in report.discarded]
        used.update(each.sample_id for each in discards if not each.reason.startswith("repeated: "))
        return used

    def samples() -> set[str]:
        return {sample.sample_id for sample in read_all(pipeline.kafka, SAMPLES)}

    await until(lambda: uses().keys() == samples())
    assert uses() == Counter(samples())


async def test_a_trainer_killed_as_it_sends_costs_a_restart_of_the_node(pipeline: Pipeline, tmp_path: Path) -> None:
    """Another trainer, for the moment at which one is killed must be met; the supervisor starts the node again."""
    [served] = {status.version for status in read_all(pipeline.kafka, NODES)[-1:]}
    folder, version = make_tiny_model(tmp_path / "next", seed=2), served + 1
    command = [sys.executable, "-m", "tests.trainer.transfer.dying", str(folder), str(version)]
    dying = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert dying.stdout is not None
    where = (await dying.stdout.readline()).decode().strip()
    announce(pipeline.kafka, version, folder, transfer=where)
    assert await asyncio.wait_for(dying.wait(), 60) == -signal.SIGKILL

    def starts_again() -> bool:
        said = [(status.health, status.version) for status in read_all(pipeline.kafka, NODES)]
        last = max(index for index, each in enumerate(said) if each == ("swapping", served))
        return ("starting", 0) in said[last:]

    await until(starts_again, 60.0)
    assert any(f"failed to take version {version} from its trainer" in line for _, line in pipeline.lines)
