"""A trajectory that was opened at one gateway and not called yet is known at every other one."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from clawstream.gateway.callers.keys import digest_of
from clawstream.gateway.log.ledger import WRITER
from clawstream.gateway.trajectories.openings import Openings
from clawstream.gateway.trajectories.seen import Seen
from clawstream.schemas import encode
from clawstream.streams.reading.tail import RawRecord, Tail
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import FEEDBACK
from tests.builders import a_feedback
from tests.gateway.fake_node import FakeNode
from tests.gateway.harness import gateway, until

pytestmark = pytest.mark.kafka

A, B = ({"Authorization": f"Bearer {name}"} for name in "ab")
REGISTER = "/t/g/v1/register_trajectory"


def raw(trajectory: str, channel: str | None, kind: str = "opened", writer: str = "other") -> RawRecord:
    said = a_feedback(trajectory_id=trajectory, group_id="g", kind=kind, channel=channel, reward=None)
    headers = {WRITER: writer.encode(), "tenant": said.tenant.encode(), "kind": kind.encode()}
    return RawRecord(partition=0, offset=0, timestamp_ms=0, key=trajectory, value=encode(said), headers=headers)


def test_openings_of_others_are_kept_and_bounded(kafka: KafkaSettings) -> None:
    seen, tail = Seen(10), Tail(kafka, FEEDBACK, 10)
    openings = Openings(tail, 1.0, seen, "me", max_trajectories=2)
    openings.take(replace(raw("bad", None), value=b"no feedback"))
    for record in (raw("mine", "val", writer="me"), raw("t", "val", kind="completed"), raw("a", "val"), raw("a", None)):
        openings.take(record)
    assert [openings.channel(each) for each in ("bad", "mine", "t", "a")] == [None, None, None, "val"]
    assert ("a" in seen, seen.group("a"), "t" in seen) == (True, "g", False)
    for name in "bc":
        openings.take(raw(name, None))
    assert [openings.channel(each) for each in "abc"] == [None, "train", "train"]
    tail.close()


async def test_it_is_its_owners_in_its_channel_and_in_its_group(kafka: KafkaSettings, tmp_path: Path) -> None:
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[x]\nkeys = ["{digest_of("a")}"]\n[y]\nkeys = ["{digest_of("b")}"]\n')
    async with gateway(kafka, FakeNode(), keys_file=keys) as one, gateway(kafka, FakeNode(), keys_file=keys) as two:
        assert (await one.post(REGISTER, {"channel": "val"}, A))[0] == 200
        for refused in (await two.post(REGISTER, {}, B), await two.chat(headers=B)):
            assert (refused[0], refused[2]["error"]["code"]) == (403, "not_yours")
        assert (await two.chat(headers=A))[0] == 200
        said = {"kind": "rewarded", "reward": 1.0, "trajectory": "t"}
        assert (await two.post("/v1/feedback", said, A))[2]["matched"] is True
        (step,), (_, reward) = await one.steps(1), await one.feedback(2)
    assert (step.tenant, step.channel) == ("x", "val")
    assert reward.group_id == "g"
    async with gateway(kafka, keys_file=keys) as restarted:
        assert (await restarted.post(REGISTER, {}, B))[0] == 403


async def test_it_is_not_paced_again(kafka: KafkaSettings) -> None:
    pace = {"trajectories_per_version": 1, "max_policy_lag": 0}
    async with gateway(kafka, FakeNode(), **pace) as one, gateway(kafka, FakeNode(), **pace) as two:
        _, _, begun = await one.post("/init_trajectory")
        await one.post(REGISTER, {"channel": "live"})
        assert (await two.chat("/u/g/v1"))[0] == 200
        await until(lambda: two.gateway.is_open("t") and two.gateway.is_open(begun["trajectory_uid"]))
        assert (await two.chat("/v/g/v1"))[0] == 429
        assert (await two.chat())[0] == 200
        assert (await two.chat(begun["base_url"].removeprefix(one.url)))[0] == 200
        assert (await two.post(begun["base_url"].removeprefix(one.url) + "/complete_trajectory"))[2] == {"status": "ok"}
        steps = await two.steps(3)
    assert [step.channel for step in steps if step.trajectory_id == "t"] == ["live"]
