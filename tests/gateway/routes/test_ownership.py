"""Tenants against a whole gateway: what is one's is not another's."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from anthropic import AsyncAnthropic, PermissionDeniedError

from clawstream.gateway.callers.keys import digest_of
from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import DONE, FakeNode
from tests.gateway.harness import MESSAGES, Client, gateway
from tests.gateway.samples import answer_data

pytestmark = pytest.mark.kafka

A, B = ({"Authorization": f"Bearer {name}"} for name in "ab")
STEP = {"prompt_ids": [1], "response_ids": [2], "trajectory_uid": "t", "prompt_uid": "g"}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The keys ``a`` and ``b`` of the tenants ``x`` and ``y``."""
    file = tmp_path / "keys.toml"
    file.write_text(f'[x]\nkeys = ["{digest_of("a")}"]\n[y]\nkeys = ["{digest_of("b")}"]\n')
    return file


async def refusals(client: Client) -> list[Any]:
    """Status and code of everything that one can do with a trajectory, done by the other."""
    t = "/t/g/v1"
    said = {"kind": "rewarded", "reward": 1.0}
    answers = [
        await client.chat(headers=B),
        await client.chat(headers=B, stream=True),
        await client.chat("/v1", headers=B | {"X-Session-Id": "t"}),
        await client.post(f"{t}/responses", {"input": "hi"}, B),
        await client.post(f"{t}/register_trajectory", {}, B),
        await client.post(f"{t}/complete_trajectory", {}, B),
        await client.post("/complete_trajectory/t", {}, B),
        await client.post(f"{t}/feedback", said, B),
        await client.post(
            "/v1/feedback", {"statements": [said | {"trajectory": "mine"}, said | {"trajectory": "t"}]}, B
        ),
        await client.post("/api/curation", {"updates": [{"step_key": "t:0", "quality": "correct"}]}, B),
        await client.post("/submit_steps", {"steps": [STEP | {"trajectory_uid": "mine"}, STEP]}, B),
    ]
    return [(status, body["error"]["code"]) for status, _, body in answers]


async def test_nothing_of_another_tenant_s_trajectory_can_be_done(kafka: KafkaSettings, keys: Path) -> None:
    node = FakeNode()
    async with gateway(kafka, node, keys_file=keys) as client:
        assert (await client.chat(headers=A))[0] == 200
        assert set(await refusals(client)) == {(403, "not_yours")}
        with pytest.raises(PermissionDeniedError, match="belongs to another tenant") as refused:
            await AsyncAnthropic(base_url=f"{client.url}/t/g", api_key="b", max_retries=0).messages.create(
                model="x", max_tokens=5, messages=MESSAGES
            )
        assert refused.value.body["error"]["type"] == "permission_error"  # type: ignore[index]
        assert (await client.chat(headers={}))[0] == 401
        assert (await client.chat(headers=A))[0] == 200
        steps = await client.steps(2)
        assert await client.feedback(0) == []
    assert [step.tenant for step in steps] == ["x", "x"]
    assert len(node.bodies) == 2


async def test_the_owner_is_known_after_a_restart_and_what_is_said_carries_the_tenant(
    kafka: KafkaSettings, keys: Path
) -> None:
    async with gateway(kafka, FakeNode(), keys_file=keys) as client:
        assert (await client.post("/submit_steps", {"steps": [STEP]}, A))[0] == 200
    async with gateway(kafka, FakeNode(), keys_file=keys) as client:
        assert set(await refusals(client)) == {(403, "not_yours")}
        assert (await client.post("/t/g/v1/complete_trajectory", {"reward": 1}, A))[0] == 200
        (step,), (said,) = await client.steps(1), await client.feedback(1)
    assert (step.tenant, said.tenant) == ("x", "x")


async def test_two_gateways_of_one_log_refuse_alike(kafka: KafkaSettings, keys: Path) -> None:
    async with gateway(kafka, FakeNode(), keys_file=keys) as one, gateway(kafka, FakeNode(), keys_file=keys) as two:
        assert (await one.chat(headers=A))[0] == 200
        assert (await two.chat(headers=B))[0] == 403
        assert (await two.chat(headers=A))[0] == 200


async def test_equal_names_of_groups_keys_and_openings_are_not_shared(kafka: KafkaSettings, keys: Path) -> None:
    node = FakeNode(script=lambda _: [0.2, *answer_data([1, 2, 3], [10, 11]), DONE])
    async with gateway(kafka, node, keys_file=keys) as client:
        key = {"Idempotency-Key": "k"}
        answers = await asyncio.gather(
            *(client.chat("/v1", headers=who | key | {"X-ClawStream-Group": "g"}) for who in (A, B))
        )
        steps = await client.steps(2)
    assert [status for status, *_ in answers] == [200, 200]
    assert len(node.bodies) == 2
    assert sorted((step.tenant, step.group_id) for step in steps) == [("x", "g"), ("y", "g")]
    assert len({step.trajectory_id for step in steps}) == 2
