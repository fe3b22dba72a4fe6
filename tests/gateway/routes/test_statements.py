"""Feedback: one statement or many, all checked first, each answered for itself; curation; what is told of strangers."""

import json
from typing import Any

import pytest

from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import FakeNode, announce, running, status_of
from tests.gateway.harness import gateway
from tests.gateway.processes import gateway_process

pytestmark = pytest.mark.kafka

PATH = "/t/g/v1/feedback"


async def test_a_statement_is_recorded_and_told_whether_its_trajectory_is_known(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        reward = {"kind": "rewarded", "reward": -1, "step_id": "s1", "source": "user", "detail": {"why": "late"}}
        _, _, unknown = await client.post(PATH, reward)
        await client.post("/v1/feedback", {"kind": "observed", "detail": {}}, {"X-ClawStream-Trajectory": "u"})
        await client.post("/t/g/feedback", {"kind": "aborted"})
        said = {statement.kind: statement for statement in await client.feedback(3)}
        await client.chat("/t/g/v1")
        _, _, known = await client.post(PATH, reward)
    assert unknown == {"status": "ok", "feedback_id": said["rewarded"].feedback_id, "matched": False}
    assert known["matched"] is True
    assert (said["rewarded"].reward, said["rewarded"].step_id, said["rewarded"].source) == (-1.0, "s1", "user")
    assert (said["observed"].trajectory_id, said["observed"].group_id) == ("u", "u")
    assert said["aborted"].reward is None


async def test_many_statements_of_many_trajectories_in_one_call(kafka: KafkaSettings) -> None:
    statements = [
        {"kind": "rewarded", "reward": 0.5, "step_id": "s1", "source": "judge"},
        {"kind": "rewarded", "reward": 1, "source": "user"},
        {"kind": "completed", "reward": 1},
        {"kind": "observed", "detail": {"text": "ok"}, "trajectory": "u", "group": "h"},
        {"kind": "aborted", "trajectory": "v"},
        {"kind": "curated", "step_id": "s1", "detail": {"quality": "incorrect", "trainable": False, "tags": ["bad"]}},
    ]
    async with gateway(kafka, FakeNode()) as client:
        await client.chat("/t/g/v1")
        status, _, answer = await client.post(PATH, {"statements": statements})
        said = {each.feedback_id: each for each in await client.feedback(6)}
    assert (status, answer["status"]) == (200, "ok")
    found = [said[each["feedback_id"]] for each in answer["results"]]
    assert [each.kind for each in found] == [each["kind"] for each in statements]
    assert [each["matched"] for each in answer["results"]] == [True, True, True, False, False, True]
    assert [each.trajectory_id for each in found] == ["t", "t", "t", "u", "v", "t"]
    assert [each.group_id for each in found] == ["g", "g", "g", "h", "v", "g"]
    assert [each.source for each in found][:2] == ["judge", "user"]
    assert json.loads(found[5].detail_json or "") == statements[5]["detail"]
    order = [each.kind for each in said.values() if each.trajectory_id == "t"]
    assert order == ["rewarded", "rewarded", "completed", "curated"]


async def test_a_batch_made_again_is_the_same_statements(kafka: KafkaSettings) -> None:
    batch = {"statements": [{"kind": "rewarded", "reward": 1}, {"kind": "rewarded", "reward": 1}]}
    keyed = {"statements": [{"kind": "rewarded", "reward": 1, "key": "mine"}]}
    async with gateway(kafka) as client:
        for _ in range(2):
            await client.post(PATH, batch, {"Idempotency-Key": "k"})
            await client.post(PATH, keyed)
        said = await client.feedback(6)
    assert len({each.feedback_id for each in said}) == 3


@pytest.mark.parametrize(
    ("statement", "param"),
    [
        ({}, "kind"),
        ({"kind": "praised"}, "kind"),
        ({"kind": "opened"}, "kind"),
        ({"kind": "rewarded"}, "reward"),
        ({"kind": "rewarded", "reward": "1"}, "reward"),
        ({"kind": "observed"}, "detail"),
        ({"kind": "observed", "detail": {}, "reward": 1}, "reward"),
        ({"kind": "aborted", "source": ""}, "source"),
        ({"kind": "aborted", "trajectory": "a\nb"}, "trajectory"),
        ({"kind": "aborted", "step_id": ""}, "step_id"),
        ({"kind": "curated", "detail": {}}, "detail"),
        ({"kind": "curated", "detail": {"quality": "good"}}, "detail"),
        ({"kind": "curated", "detail": {"step_index": 1}}, "detail"),
        ({"kind": "curated", "detail": {"trainable": True, "colour": "red"}}, "detail"),
    ],
)
async def test_a_bad_statement_is_a_400_that_names_the_field_and_nothing_is_recorded(
    kafka: KafkaSettings, statement: dict[str, Any], param: str
) -> None:
    async with gateway(kafka) as client:
        status, _, answer = await client.post(PATH, statement)
        assert (status, answer["error"]["param"]) == (400, param)
        good = {"kind": "rewarded", "reward": 1}
        status, _, answer = await client.post(PATH, {"statements": [good, statement]})
        assert (status, answer["error"]["param"]) == (400, f"statements[1].{param}")
        status, _, answer = await client.post("/v1/feedback", {"statements": [good]})
        assert (status, answer["error"]["param"]) == (400, "statements[0].trajectory")
        await client.feedback(0)


async def test_what_kafka_does_not_take_is_said_of_each(kafka: KafkaSettings) -> None:
    small = kafka.model_copy(update={"max_record_bytes": 1100})
    statements = [{"kind": "rewarded", "reward": 1}, {"kind": "observed", "detail": {"text": "x" * 2000}}]
    async with gateway(small) as client:
        status, headers, answer = await client.post(PATH, {"statements": statements})
        await client.feedback(1)
    assert (status, headers.get("Retry-After"), answer["error"]["code"]) == (413, None, "not_recordable")
    assert [each["status"] for each in answer["results"]] == ["ok", "error"]
    assert answer["results"][1]["error"]["code"] == "not_recordable"


async def test_a_step_number_that_no_step_can_have_is_refused(kafka: KafkaSettings) -> None:
    async with gateway(kafka) as client:
        for index in (-1, 2**31, 10**20):
            update = {"trajectory_uid": "t", "step_index": index, "quality": "correct"}
            status, _, answer = await client.post("/api/curation", {"updates": [update]})
            assert (status, "step_index" in str(answer)) == (400, True)


async def test_curation_in_claw_r1s_words(kafka: KafkaSettings) -> None:
    updates = [
        {"step_key": "a:b:0", "trainable": False, "quality": "incorrect", "tags": ["bad"], "note": "exclude"},
        {"trajectory_uid": "t", "step_index": 2, "quality": "correct"},
        {"trajectory_uid": "t", "step_id": "s", "note": "look"},
    ]
    async with gateway(kafka, FakeNode()) as client:
        await client.chat("/t/g/v1")
        status, _, answer = await client.post("/api/curation", {"channel": "cur", "updates": updates})
        said = await client.feedback(3)
        for bad in ({"step_key": "x"}, {"step_key": "t:0", "quality": "good"}, {"quality": "correct"}, {"step_key": 1}):
            refused = await client.post("/api/curation", {"updates": [updates[0], bad]})
            assert (refused[0], refused[2]["error"]["param"][:11]) == (400, "updates[1].")
        await client.feedback(3)
    assert (status, answer["channel"], answer["channels"], answer["updated_count"]) == (200, "cur", ["cur"], 3)
    assert [each["step_key"] for each in answer["updated"]] == ["a:b:0", "t:2", "s"]
    assert [each["matched"] for each in answer["updated"]] == [False, True, True]
    by_note = {json.loads(each.detail_json or "").get("note"): each for each in said}
    excluded = {"trainable": False, "quality": "incorrect", "tags": ["bad"], "note": "exclude", "step_index": 0}
    assert json.loads(by_note["exclude"].detail_json or "") == excluded
    assert (by_note["exclude"].trajectory_id, by_note["exclude"].kind, by_note["exclude"].source) == (
        "a:b",
        "curated",
        "curation",
    )
    assert (by_note["look"].step_id, by_note["look"].group_id) == ("s", "g")


async def test_a_trajectory_is_known_by_its_steps_in_the_log_after_a_restart(kafka: KafkaSettings) -> None:
    async with gateway(kafka, FakeNode()) as client:
        await client.chat("/t/g/v1")
        async with gateway(kafka) as other:
            assert (await other.post(PATH, {"kind": "rewarded", "reward": 1}))[2]["matched"] is True
            await client.chat("/u/g/v1")
            assert (await other.post("/u/g/v1/complete_trajectory"))[2] == {"status": "ok"}
    async with gateway(kafka) as restarted:
        assert (await restarted.post(PATH, {"kind": "rewarded", "reward": 1}))[2]["matched"] is True
        assert (await restarted.post("/w/g/v1/feedback", {"kind": "aborted"}))[2]["matched"] is False


async def test_workers_know_each_others_trajectories(kafka: KafkaSettings) -> None:
    async with running(FakeNode()) as node, gateway(kafka) as client:
        await announce(kafka, status_of(node))
        async with gateway_process(kafka, "--workers", "2", "--node-seconds", "300") as (_, url):
            for number in range(4):
                async with client.http.post(
                    f"{url}/t{number}/g/v1/chat/completions", json={"messages": [{"role": "user", "content": "hi"}]}
                ) as answer:
                    assert answer.status == 200
                async with client.http.post(
                    f"{url}/t{number}/g/v1/complete_trajectory", headers={"Connection": "close"}
                ) as answer:
                    assert await answer.json() == {"status": "ok"}
