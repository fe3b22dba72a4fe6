"""``/submit_steps`` on a whole gateway: what is submitted again trains once."""

from typing import Any

import pytest

from clawstream.processors.readiness.assembly import TrajectoryState, on_feedback, on_step
from clawstream.schemas.reading.sequences import resolve
from clawstream.streams.settings import KafkaSettings
from tests.gateway.calls.test_submitted import a_payload
from tests.gateway.harness import gateway

pytestmark = pytest.mark.kafka

TURNS = [
    a_payload(prompt_ids=[1], response_ids=[2, 3], step_index=0, reward=0.25, metadata={"task": "sum"}),
    a_payload(prompt_ids=[1, 2, 3, 4], response_ids=[5, 6], step_index=1),
    a_payload(prompt_ids=[1, 2, 3, 4, 5, 6, 7], response_ids=[8, 9], step_index=2, is_last=True, reward=1.0),
]


async def submit(client: Any, *steps: dict[str, Any], channel: str = "train") -> Any:
    status, _, body = await client.post(f"/submit_steps?channel={channel}", {"steps": list(steps)})
    return status, body


async def test_steps_are_one_sequence_with_their_rewards_and_their_end(kafka: KafkaSettings) -> None:
    async with gateway(kafka) as client:
        assert await submit(client, *reversed(TURNS), channel="val") == (200, {"accepted": 3})
        steps, said = await client.steps(3), await client.feedback(3)
    assert [(step.group_id, step.channel, step.trainable) for step in steps] == [("g", "val", True)] * 3
    (sequence,) = resolve(steps).sequences
    assert [(span.start, span.end) for span in sequence.responses] == [(1, 3), (4, 6), (7, 9)]
    assert sum(len(step.prompt_tokens) + len(step.response_tokens) for step in steps) == 4 * 9
    kinds = [(each.kind, each.step_id, each.reward, each.channel) for each in said]
    assert kinds == [
        ("opened", None, None, "val"),
        ("rewarded", steps[0].step_id, 0.25, None),
        ("completed", None, 1.0, None),
    ]
    assert said[0].detail_json == '{"task":"sum"}'


async def test_steps_submitted_again_have_the_same_ids_and_train_once(kafka: KafkaSettings) -> None:
    async with gateway(kafka) as client:
        await submit(client, *TURNS[:2])
        assert await submit(client, *TURNS) == (200, {"accepted": 3})
        assert await submit(client, *TURNS) == (200, {"accepted": 3})
        steps, said = await client.steps(8), await client.feedback(8)
    state: TrajectoryState | None = None
    rewards, kept = [], {}
    for step in steps:
        state, _ = on_step(state, step, 0)
        kept.setdefault(step.step_id, step)
    for each in said:
        state, outputs = on_feedback(state, each, 0)
        rewards += outputs
    assert state is not None
    assert state.step_ids == tuple(kept)
    assert len(rewards) == 2
    resolved = resolve([kept[step_id] for step_id in state.step_ids])
    assert (len(resolved.step_ids), resolved.refusals, len(resolved.sequences)) == (3, [], 1)


async def test_nothing_is_half_accepted(kafka: KafkaSettings) -> None:
    async with gateway(kafka) as client:
        status, body = await submit(client, TURNS[0], TURNS[1] | {"policy_version": "new"})
        assert (status, body["error"]["param"]) == (400, "steps[1].policy_version")
        uncounted = await submit(client, TURNS[0] | {"metadata": {"group_size": 0}})
        assert uncounted[1]["error"]["param"] == "metadata.group_size"
        assert (await submit(client, {}))[1]["error"]["param"] == "steps[0].prompt_ids"
        assert (await client.post("/submit_steps?channel=%00", {"steps": TURNS}))[2]["error"]["param"] == "channel"
        assert await submit(client) == (200, {"accepted": 0})
        await client.steps(0)
        await client.feedback(0)


async def test_a_trajectory_of_submitted_steps_is_known_and_paced(kafka: KafkaSettings) -> None:
    async with gateway(kafka, trajectories_per_version=1, max_policy_lag=0) as client:
        assert (await submit(client, TURNS[0]))[0] == 200
        status, body = await submit(client, TURNS[0] | {"trajectory_uid": "u"})
        assert (status, body["error"]["code"]) == (429, "paced")
        assert (await client.post("/t/g/v1/complete_trajectory"))[2] == {"status": "ok"}
        assert (await submit(client, TURNS[0] | {"trajectory_uid": "v"}, channel="val"))[0] == 200
        await client.steps(2)
