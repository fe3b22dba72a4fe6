"""Several nodes of one model: each serves whole versions alone, and the slow and the dead hold nobody up for ever."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawstream.schemas import NodeStatus
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import NODES
from clawstream.trainer.serving import Serving
from tests.rollout.fake_vllm import fake_vllm
from tests.rollout.rig import Rig

pytestmark = pytest.mark.kafka
DEADLINE_SECONDS = 30.0


@pytest.fixture
def rigs(kafka: KafkaSettings, tmp_path: Path) -> Iterator[dict[str, Rig]]:
    with contextlib.ExitStack() as closing:
        made = {}
        for name in ("a", "b", "c"):
            rig = Rig(kafka, closing.enter_context(fake_vllm()), tmp_path / name, name=name)
            closing.callback(rig.close)
            made[name] = rig
        yield made


def statuses(kafka: KafkaSettings) -> dict[str, NodeStatus]:
    """The newest word of each node."""
    return {status.node: status for status in read_all(kafka, NODES)}


def test_a_version_is_current_once_all_live_nodes_serve_it(kafka: KafkaSettings, rigs: dict[str, Rig]) -> None:
    serving = Serving("policy", DEADLINE_SECONDS)
    for rig in rigs.values():
        rig.node.start()
    serving.announce(0, 0.0)
    for version, seed in ((1, 1), (2, 2), (3, 1)):  # 3 goes back to the weights of 1
        rigs["a"].announce(version, seed=seed)
        serving.announce(version, float(version))
        rigs["a"].steps(0.3)
        for status in statuses(kafka).values():
            serving.note(status, float(version))
        assert serving.publish_lag(float(version)) == version  # b and c have not looked yet
    rigs["b"].steps(0.3)  # took three announcements at once: the last one counts
    for status in statuses(kafka).values():
        serving.note(status, 4.0)
    assert serving.publish_lag(4.0) == 3  # c is still at 0 ...
    after = 4.0 + DEADLINE_SECONDS
    for name in ("a", "b"):
        serving.note(statuses(kafka)[name], after)
    assert (serving.publish_lag(after), serving.fenced(after)) == (0, 1)  # ... and is fenced
    rigs["c"].steps(0.3)
    serving.note(statuses(kafka)["c"], after)
    assert (serving.publish_lag(after), serving.fenced(after)) == (0, 0)
    assert [rig.loaded[-1] for rig in rigs.values()] == ["w1"] * 3
    assert [rig.vllm.label for rig in rigs.values()] == ["3"] * 3
    assert rigs["b"].loaded == ["w1"]
