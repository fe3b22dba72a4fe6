"""Scores come from a service, in Claw-R1's shapes; without one there are none."""

import json
from typing import Any

import pytest
from aiohttp import web

from clawstream.gateway.errors import ApiError
from clawstream.gateway.upstreams.reward_service import Score, read_scored, told
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import FEEDBACK
from tests.gateway.fake_node import FakeNode, running
from tests.gateway.harness import gateway

CODE = {"prompt_ids": [1], "response_ids": [2], "dataset_fields": {"data_source": "openai/gsm8k"}}
DOCUMENTS = {"trajectory_uid": "t", "messages": [{"role": "user", "content": "6*7?"}], "dataset_fields": {}}
SCORE = {"reward_score": 1.0, "reward_extra_info": {"acc": True}}


def service(**fields: Any) -> FakeNode:
    return FakeNode(refusal=web.json_response(**fields))


def test_what_the_client_left_out_is_filled_in_as_claw_r1_does() -> None:
    assert read_scored(CODE) == CODE | {"num_turns": 2, "extra_fields": {}}
    assert read_scored(CODE | {"num_turns": 5})["num_turns"] == 5
    assert read_scored(DOCUMENTS) == DOCUMENTS


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt_ids"),
        ({"prompt_ids": [1]}, "response_ids"),
        ({"prompt_ids": ["a"], "response_ids": []}, "prompt_ids[0]"),
        (CODE | {"num_turns": "2"}, "num_turns"),
        ({"messages": "hi"}, "messages"),
    ],
)
def test_what_cannot_be_scored_names_the_field(body: dict[str, Any], param: str) -> None:
    with pytest.raises(ApiError) as refused:
        read_scored(body)
    assert (refused.value.status, refused.value.param) == (400, param)


def test_both_shapes_of_the_answer() -> None:
    score = Score(reward_score=0.5)
    assert told(score, CODE) == b'{"reward_score":0.5,"reward_extra_info":{}}'
    assert json.loads(told(score, DOCUMENTS))["reward"] == 0.5


@pytest.mark.kafka
async def test_a_score_is_passed_on_and_not_recorded(kafka: KafkaSettings) -> None:
    scoring = service(data=SCORE)
    async with running(scoring), gateway(kafka, reward_url=f"{scoring.url}/score", api_key="secret") as client:
        status, _, body = await client.post("/compute_reward", CODE, {"Authorization": "Bearer secret"})
        assert (await client.post("/compute_reward", CODE))[0] == 401
    assert (status, body) == (200, SCORE)
    assert (scoring.paths, scoring.bodies) == (["/score"], [read_scored(CODE)])
    assert "Authorization" not in scoring.headers[0]
    assert list(read_all(kafka, FEEDBACK)) == []


@pytest.mark.kafka
async def test_without_a_service_the_answer_says_what_to_set(kafka: KafkaSettings) -> None:
    async with gateway(kafka) as client:
        status, headers, body = await client.post("/compute_reward", CODE)
        assert (await client.post("/compute_reward", {}))[0] == 400
    assert (status, body["error"]["code"], "Retry-After" in headers) == (503, "no_reward_service", False)
    assert "reward_url" in body["detail"]


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"data": {"reward": 1}}, 502),
        ({"data": {"reward_score": None}}, 502),
        ({"text": "not json"}, 502),
        ({"text": '{"reward_score": 1e999}'}, 502),
        ({"data": {"detail": "no"}, "status": 422}, 422),
        ({"data": {}, "status": 500}, 500),
    ],
)
async def test_a_service_that_fails_is_an_error(kafka: KafkaSettings, answer: dict[str, Any], status: int) -> None:
    scoring = service(**answer)
    async with running(scoring), gateway(kafka, reward_url=scoring.url) as client:
        found, _, body = await client.post("/compute_reward", CODE)
    assert found == status
    assert body["error"]["message"]


@pytest.mark.kafka
async def test_a_service_that_is_not_there_or_silent(kafka: KafkaSettings) -> None:
    async with gateway(kafka, reward_url="http://127.0.0.1:9/") as client:
        assert (await client.post("/compute_reward", CODE))[0] == 502
    slow = FakeNode(script=lambda _: [5.0])
    async with running(slow), gateway(kafka, reward_url=slow.url, reward_seconds=0.2) as client:
        assert (await client.post("/compute_reward", CODE))[0] == 504
