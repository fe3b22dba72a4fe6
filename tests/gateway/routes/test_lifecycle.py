"""Claw-R1's routes, feedback, pacing, and what bad requests get."""

import json
from typing import Any

import pytest

from clawstream.schemas import WeightVersion, now
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import WEIGHTS
from tests.gateway.fake_node import FakeNode
from tests.gateway.harness import MESSAGES, gateway

pytestmark = pytest.mark.kafka


async def test_a_trajectory_from_init_to_completion(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        _, _, first = await client.post("/init_trajectory")
        _, _, second = await client.post("/init_trajectory", {})
        path = first["base_url"].removeprefix(client.url)
        metadata = {"group_size": 4, "task": "sum"}
        opened = await client.post(f"{path}/register_trajectory", {"channel": "val", "metadata": metadata})
        status, _, _ = await client.chat(path)
        closed = await client.post(f"{path}/complete_trajectory", {"reward": 0.5, "channel": "train"})
        (step,), said = await client.steps(), await client.feedback(4)
    assert (opened[0], opened[2], status, closed[2]) == (200, {"status": "ok"}, 200, {"status": "ok"})
    trajectory, group = path.strip("/").split("/")[:2]
    assert first["trajectory_uid"] == trajectory
    assert second["base_url"].split("/")[4] != group
    begun, opening, completion = [each for each in said if each.trajectory_id == trajectory]
    assert (begun.kind, begun.channel, begun.group_id) == ("opened", None, group)
    assert (step.trajectory_id, step.group_id, step.channel) == (trajectory, group, "val")
    assert (opening.kind, opening.channel, opening.group_size) == ("opened", "val", 4)
    assert json.loads(opening.detail_json or "") == metadata
    assert (completion.kind, completion.channel, completion.reward) == ("completed", None, 0.5)
    assert completion.group_id == group


async def test_the_same_statement_has_the_same_id(kafka: KafkaSettings) -> None:
    async with gateway(kafka) as client:
        for _ in range(2):
            await client.post("/t/g/v1/register_trajectory", {"metadata": {"a": 1}})
            await client.post("/t/g/v1/complete_trajectory")
            await client.post("/t/g/v1/feedback", {"kind": "rewarded", "reward": 1}, {"Idempotency-Key": "k"})
            await client.post("/t/g/v1/feedback", {"kind": "rewarded", "reward": 1})
        said = await client.feedback(8)
    assert len({statement.feedback_id for statement in said}) == 5
    assert {statement.reward for statement in said if statement.kind == "completed"} == {None}


async def test_an_unknown_trajectory_is_told_so_and_its_completion_is_recorded(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        unknown = await client.post("/t/g/v1/complete_trajectory", {"reward": 1})
        await client.chat("/t/g/v1")
        known = await client.post("/t/g/v1/complete_trajectory", {"reward": 1})
        said = await client.feedback(2)
    assert (unknown[0], unknown[2]) == (200, {"status": "ok", "matched": False})
    assert known[2] == {"status": "ok"}
    assert [(each.group_id, each.reward) for each in said] == [("g", 1), ("g", 1)]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/t/g/v1/register_trajectory", {"channel": 5}, "channel"),
        ("/t/g/v1/register_trajectory", {"channel": ""}, "channel"),
        ("/t/g/v1/register_trajectory", {"metadata": []}, "metadata"),
        ("/t/g/v1/register_trajectory", {"metadata": {"group_size": "four"}}, "metadata.group_size"),
        ("/t/g/v1/complete_trajectory", {"reward": "good"}, "reward"),
        ("/v1/feedback", {"kind": "aborted"}, "trajectory"),
        ("/t/%00/v1/feedback", {"kind": "aborted"}, "group"),
        ("/t/g/v1/chat/completions", {"messages": MESSAGES, "n": 0}, "n"),
        ("/t/g/v1/chat/completions", b"{", None),
    ],
)
async def test_a_bad_request_is_a_400_that_names_the_field(
    kafka: KafkaSettings, path: str, body: Any, param: str | None
) -> None:
    async with gateway(kafka) as client:
        status, _, answer = await client.post(path, body)
    assert (status, answer["error"]["param"]) == (400, param)
    assert set(answer["error"]) == {"message", "type", "param", "code"}


async def test_other_wrong_requests_have_openais_shape(kafka: KafkaSettings) -> None:
    async with gateway(kafka, max_body_bytes=2000) as client:
        large = await client.post("/v1/chat/completions", b"x" * 3000)
        nowhere = await client.post("/v1/collective_rpc", {})
        status, method = await client.get("/v1/chat/completions")
    assert (large[0], nowhere[0], status) == (413, 404, 405)
    for answer in (large[2], nowhere[2], method):
        assert answer["error"]["message"]


async def test_openings_are_paced_until_a_new_version(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode(), trajectories_per_version=2, max_policy_lag=0) as client:
        assert (await client.chat("/a/g/v1"))[0] == 200
        assert (await client.post("/b/g/v1/register_trajectory"))[0] == 200
        for path, body in (("/init_trajectory", None), ("/c/g/v1/register_trajectory", {})):
            status, headers, answer = await client.post(path, body)
            assert (status, answer["error"]["code"]) == (429, "paced")
            assert 1 <= int(headers["Retry-After"]) <= 5
        assert (await client.chat("/c/g/v1"))[0] == 429
        assert (await client.chat("/a/g/v1"))[0] == (await client.chat("/b/g/v1"))[0] == 200
        assert (await client.post("/v/g/v1/register_trajectory", {"channel": "val"}))[0] == 200
        announce_version(kafka, 1)
        while client.gateway.versions.newest != 1:
            await client.get("/healthz")
        assert (await client.chat("/c/g/v1"))[0] == 200
        assert len(await client.feedback(2)) == 2


def announce_version(kafka: KafkaSettings, version: int) -> None:
    weights = WeightVersion(
        model="policy", version=version, uri="file:///w", sha256="0", parent=None, update_id=None, created_at=now()
    )
    producer = Producer(kafka, "test-weights")
    producer.send(WEIGHTS, weights).result(30)
    producer.close()
