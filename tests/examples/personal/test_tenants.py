"""Two tenants' policies at one vLLM, every process real: one learns, and nothing of the other moves by a bit."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from clawstream.streams.broker import LocalBroker
from clawstream.streams.files.snapshots import weights_digest
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES, SAMPLES, STEPS, UPDATES, WEIGHTS
from clawstream.trainer.versions.retiring import set_retired
from examples.personal.judge import Judge, judging
from examples.personal.learners import BASE, Learner
from examples.personal.model import make_base
from examples.personal.run import learn
from examples.personal.stage import Stage, stage, until
from tests.builders import a_version

pytestmark = [pytest.mark.loop, pytest.mark.kafka, pytest.mark.vllm]

OURS = Learner(tenant="ours", likes="plain", method="combined")
THEIRS = Learner(tenant="theirs", likes="warm", method="combined")
THIRD = "policy-third"
ROOM = 4  # versions in vLLM's memory: two for each of two tenants
ADAPTER = "adapter_model.safetensors"
PROMPT = "Tell me about tea. In short, tea. It is simple. That is all."


def logprobs(running: Stage, model: str) -> list[Any]:
    """What ``model`` says of each token of one prompt, as the node gives it."""
    [url] = {status.url for status in running.observed.nodes.values()}
    body = {"model": model, "prompt": PROMPT, "max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0}
    answer = httpx.post(f"{url}/v1/completions", json=body, timeout=60.0).raise_for_status().json()
    assert answer["model"] == model
    found: list[Any] = answer["choices"][0]["prompt_logprobs"]
    return found


def served_by(running: Stage) -> dict[str, Path]:
    """Names that vLLM answers to, and from where it reads each."""
    [url] = {status.url for status in running.observed.nodes.values()}
    found = httpx.get(f"{url}/v1/models", timeout=60.0).raise_for_status().json()
    return {each["id"].partition("@")[0]: Path(each["root"]) for each in found["data"]}


async def evict_all(running: Stage, folder: Path, first_version: int) -> None:
    """Load versions of a third adapter, all from ``folder``, until vLLM has no room left for what it had before."""
    producer = Producer(running.kafka, "test")
    for version in range(first_version, first_version + ROOM):
        weights = a_version(
            version, model=THIRD, base=BASE, uri=folder.as_uri(), sha256=weights_digest(folder), tenant="third"
        )
        producer.send(WEIGHTS, weights).result(30)
        await until(
            lambda at=version: any(
                (status.model, status.version) == (THIRD, at) for status in running.observed.nodes.values()
            ),
            60.0,
            f"version {version} of {THIRD} is not served",
        )
    producer.close()


async def it_is_read_again_from_the_nodes_own_folder(running: Stage, trained: Path, expected: dict[str, Any]) -> None:
    """An adapter that vLLM evicted says what it said, though the trainer's folder of it is gone. That it was evicted is
    seen by what it says while other weights lie in that folder."""
    initial, kept = trained / "version-000000", served_by(running)[OURS.policy]
    shutil.rmtree(trained / f"version-{running.served_version(OURS):06d}")
    own, other = kept / ADAPTER, initial / ADAPTER
    own.rename(kept / "own")
    shutil.copyfile(other, own)
    await evict_all(running, initial, 0)
    assert logprobs(running, OURS.policy) == expected[BASE]  # as an adapter of version 0, which changes nothing
    (kept / "own").replace(own)
    await evict_all(running, initial, ROOM)
    assert logprobs(running, OURS.policy) == expected[OURS.policy]


async def test_what_one_tenant_teaches_its_policy_never_moves_another_s(broker: LocalBroker, tmp_path: Path) -> None:
    base = await asyncio.to_thread(make_base, tmp_path / "base", seed=0, steps=15, progress=False)
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
    async with (
        judging(Judge(0.1, seed=0)) as judge_url,
        stage(tmp_path, base, kafka, [OURS, THEIRS], judge_url, seed=0) as running,
    ):
        models = (OURS.policy, THEIRS.policy, BASE)
        before = {model: logprobs(running, model) for model in models}
        assert before[OURS.policy] == before[THEIRS.policy]  # adapters that change nothing yet
        first, last = await learn(running, OURS, 0, checkpoints=(0, 4), trials=4)
        after = {model: logprobs(running, model) for model in models}
        steps, samples, reports = (read_all(running.kafka, topic) for topic in (STEPS, SAMPLES, UPDATES))
        said = [status for status in read_all(running.kafka, NODES) if status.model == BASE]
        served = running.served_version(THEIRS)
        set_retired(running.kafka, THEIRS.policy, retired=True)
        await until(lambda: THEIRS.policy not in served_by(running), 60.0, "a retired adapter is still loaded")
        assert {OURS.policy, BASE} <= served_by(running).keys()
        assert logprobs(running, OURS.policy) == after[OURS.policy]
        await it_is_read_again_from_the_nodes_own_folder(running, tmp_path / "train" / OURS.tenant, after)
        told = [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("train-theirs:")]
        assert "exited with status 3" in told[-1]  # once, and not started again
    assert (after[THEIRS.policy], after[BASE]) == (before[THEIRS.policy], before[BASE])
    assert after[OURS.policy] != before[OURS.policy]
    assert (first.version, served) == (0, 0)
    first_ready = next(status for status in said if status.health != "starting")
    assert (said[0].health, first_ready.health) == ("starting", "ready")  # nothing was ever announced of the base
    assert {status.version for status in said} == {0}
    assert (first_ready.logprobs_mode, first_ready.max_model_len) == ("processed_logprobs", 512)
    assert last.version >= 1
    assert {(step.tenant, step.model) for step in steps} == {(OURS.tenant, OURS.policy)}
    assert max(span.version for step in steps for span in step.policy_spans) == last.version
    trained = {sample_id for report in reports for sample_id in report.sample_ids}
    assert trained <= {sample.sample_id for sample in samples if sample.channel == "train"}
    assert {report.model for report in reports} == {OURS.policy}
    assert len(trained) == last.steps
