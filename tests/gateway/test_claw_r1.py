"""Claw-R1's clients: each body that its code or its documents have, unchanged."""

import asyncio
from typing import Any

import pytest
from openai import AsyncOpenAI

from clawstream.schemas import unpack_logprobs, unpack_tokens
from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import DONE, FakeNode
from tests.gateway.harness import MESSAGES, gateway
from tests.gateway.samples import completion_data

pytestmark = pytest.mark.kafka

GENERATE = {
    "prompt_ids": [1, 2, 3],
    "sampling_params": {"temperature": 1.0, "top_p": 1.0, "repetition_penalty": 1.0, "logprobs": True},
}


def sampling() -> FakeNode:
    return FakeNode(script=lambda body: [*completion_data(body["prompt"], [10, 11, 2]), DONE])


async def test_generate_gives_the_sampled_tokens_and_is_a_step(kafka: KafkaSettings) -> None:
    node = sampling()
    async with gateway(kafka, node) as client:
        status, headers, body = await client.post("/generate", GENERATE)
        (step,) = await client.steps()
    assert (status, body["token_ids"], body["stop_reason"]) == (200, [10, 11, 2], "stop")
    assert len(body["log_probs"]) == 3
    assert headers["X-ClawStream-Step"] == step.step_id
    assert unpack_tokens(step.prompt_tokens).tolist() == node.bodies[0]["prompt"] == [1, 2, 3]
    assert unpack_tokens(step.response_tokens).tolist() == body["token_ids"]
    assert unpack_logprobs(step.response_logprobs).tolist() == body["log_probs"]
    assert (step.trainable, step.policy_spans[0].version, node.bodies[0]["max_tokens"]) == (True, 3, 4093)


async def test_generations_are_of_the_trajectory_that_they_name_or_of_their_own(kafka: KafkaSettings) -> None:
    async with gateway(kafka, sampling()) as client:
        await client.post("/generate", GENERATE, {"X-ClawStream-Trajectory": "h", "X-ClawStream-Group": "hg"})
        await client.post("/generate", GENERATE | {"trajectory_uid": "b", "prompt_uid": "bg"})
        await client.post("/t/g/v1/generate", GENERATE)
        await client.post("/generate", GENERATE)
        await client.post("/generate", GENERATE)
        steps = await client.steps(5)
    named = {(step.trajectory_id, step.group_id) for step in steps}
    assert {("h", "hg"), ("b", "bg"), ("t", "g")} < named
    assert len(named) == len({group for _, group in named}) == 5


async def test_turns_of_token_ids_are_one_chain(kafka: KafkaSettings) -> None:
    async with gateway(kafka, sampling()) as client:
        _, _, first = await client.post("/t/g/v1/generate", GENERATE)
        longer = [*GENERATE["prompt_ids"], *first["token_ids"], 5]
        await client.post("/t/g/v1/generate", GENERATE | {"prompt_ids": longer})
        one, two = await client.steps(2)
    assert two.prompt_prefix is not None
    assert (two.prompt_prefix.step_id, unpack_tokens(two.prompt_tokens).tolist()) == (one.step_id, [5])


async def test_base_url_works_with_and_without_v1(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        _, _, begun = await client.post("/init_trajectory")
        assert begun["base_url"].endswith("/v1")
        for base_url in (begun["base_url"], begun["base_url"].removesuffix("/v1")):
            openai = AsyncOpenAI(base_url=base_url, api_key="not-needed", max_retries=0)
            assert (await openai.chat.completions.create(model="default", messages=MESSAGES)).choices
        steps = await client.steps(2)
    assert {step.trajectory_id for step in steps} == {begun["trajectory_uid"]}


async def test_rollouts_share_the_group_that_their_url_was_rewritten_to(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        for _ in range(2):
            _, _, begun = await client.post("/init_trajectory")
            path = begun["base_url"].removeprefix(client.url).rsplit("/", 2)[0]
            await client.chat(f"{path}/task-7/v1")
        one, two = await client.steps(2)
    assert (one.group_id, two.group_id) == ("task-7", "task-7")
    assert one.trajectory_id != two.trajectory_id


async def test_unrelated_users_never_share_a_group(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:

        async def user(number: int) -> None:
            _, _, begun = await client.post("/init_trajectory")
            await client.chat(begun["base_url"].removeprefix(client.url))
            await client.chat("/v1")
            await client.chat("/v1", {"X-Session-Id": f"session of {number}"})

        await asyncio.gather(*(user(number) for number in range(10)))
        steps = await client.steps(30)
    assert len({step.group_id for step in steps}) == len({step.trajectory_id for step in steps}) == 30


async def test_the_documented_routes_are_there(kafka: KafkaSettings) -> None:
    async with gateway(kafka) as client:
        assert await client.get("/health") == (200, {"status": "ok"})
        assert await client.get("/ready") == (503, {"ready": False, "nodes_live": 0, "recording": True})
        status, _, body = await client.post("/complete_trajectory/t9", {"trajectory_uid": "t9", "final_reward": 0.9})
        (said,) = await client.feedback()
    assert (status, body["status"]) == (200, "ok")
    assert (said.kind, said.trajectory_id, said.reward) == ("completed", "t9", 0.9)


@pytest.mark.parametrize("field", ["image_data", "video_data"])
async def test_media_are_refused_and_not_ignored(kafka: KafkaSettings, field: str) -> None:
    async with gateway(kafka, sampling()) as client:
        status, _, body = await client.post("/generate", GENERATE | {field: ["AAAA"]})
    assert (status, body["error"]["param"]) == (400, field)
    assert body["detail"] == body["error"]["message"]


async def test_bad_requests_are_400_and_cost_nobody_else(kafka: KafkaSettings) -> None:
    bad: list[Any] = [b"{", b"[]", b"\xff", {"messages": [{"content": "no role"}, 5]}, {"prompt_ids": "x"}]
    async with gateway(kafka, sampling()) as client:
        for _ in range(5):
            for body in bad:
                for path in ("/generate", "/compute_reward", "/t/g/v1/chat/completions"):
                    status, _, answer = await client.post(path, body)
                    assert (400 <= status < 500, type(answer["detail"])) == (True, str)
        assert (await client.post("/generate", GENERATE))[0] == 200
