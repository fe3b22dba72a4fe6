"""What a node does with what ``weights`` says: real Kafka, vLLM's control routes alone."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawstream.rollout.engine import EngineError
from clawstream.schemas import NodeStatus, now
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import NODES
from tests.rollout.fake_vllm import FakeVllm
from tests.rollout.rig import Rig

pytestmark = pytest.mark.kafka


@pytest.fixture
def rig(kafka: KafkaSettings, vllm: FakeVllm, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(kafka, vllm, tmp_path)
    yield made
    made.close()


def test_without_an_announcement_it_serves_version_0(rig: Rig) -> None:
    assert rig.said == [("starting", 0)]
    rig.node.start()
    assert rig.said == [("starting", 0), ("ready", 0)]
    assert (rig.vllm.label, rig.loaded) == ("0", [])
    rig.node.close()
    assert rig.said[-1] == ("stopped", 0)


def test_version_0_of_the_trainer_counts(rig: Rig) -> None:
    rig.announce(0, seed=5)
    rig.node.start()
    assert rig.loaded == ["w5"]
    assert rig.said == [("starting", 0), ("ready", 0)]


def test_a_late_joiner_loads_the_newest_alone_and_before_it_is_ready(rig: Rig) -> None:
    for version in (0, 1, 2, 3):
        rig.announce(version, seed=version or None)
    rig.node.start()
    assert rig.loaded == ["w3"]
    assert rig.said == [("starting", 0), ("ready", 3)]
    assert rig.vllm.label == "3"


def test_a_new_version_is_swapped_in(rig: Rig) -> None:
    rig.node.start()
    rig.announce(1, seed=1)
    rig.steps()
    assert rig.said[1:] == [("ready", 0), ("swapping", 0), ("ready", 1)]


def test_versions_that_came_together_are_skipped_but_the_last(rig: Rig) -> None:
    rig.node.start()
    for version in (1, 2, 3):
        rig.announce(version, seed=version)
    rig.steps()
    assert rig.node.version == 3
    assert rig.loaded[-1] == "w3"


def test_an_older_version_announced_again_is_a_rollback(rig: Rig) -> None:
    rig.node.start()
    rig.announce(2, seed=2)
    rig.steps()
    rig.announce(1, seed=1)
    rig.steps()
    assert (rig.node.version, rig.loaded) == (1, ["w2", "w1"])


def test_the_same_weights_under_another_version_are_only_labelled(rig: Rig) -> None:
    rig.node.start()
    rig.announce(4)
    rig.steps()
    assert (rig.vllm.label, rig.loaded, rig.said[-1]) == ("4", [], ("ready", 4))
    rig.announce(4)
    rig.steps()
    assert rig.said[-2:] == [("ready", 0), ("ready", 4)]


def test_other_models_do_not_matter(rig: Rig) -> None:
    rig.node.start()
    rig.announce(9, seed=9, model="another")
    rig.steps()
    assert (rig.node.version, rig.loaded) == (0, [])


def test_a_refused_snapshot_leaves_it_ready_and_is_tried_when_announced_again(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.node.start()
    rig.announce(1, seed=1, sha256="0" * 64)
    rig.steps()
    assert (rig.node.version, rig.loaded, rig.said[-1]) == (0, [], ("ready", 0))
    assert "version 1 is not loaded, version 0 serves on" in caplog.text
    rig.announce(1, seed=1)
    rig.steps()
    assert rig.said[-1] == ("ready", 1)


def test_a_pause_that_fails_is_told_and_it_serves_on(rig: Rig) -> None:
    rig.node.start()
    rig.vllm.statuses["/pause"] = 500
    rig.announce(1, seed=1)
    rig.steps()
    assert rig.said[-2:] == [("swapping", 0), ("ready", 0)]


def test_weights_that_are_not_known_end_it(rig: Rig) -> None:
    rig.node.start()
    rig.vllm.statuses["/collective_rpc"] = 500
    rig.announce(1, seed=1)
    with pytest.raises(EngineError, match="failed to load version 1"):
        rig.steps(10)
    assert rig.said[-1] == ("swapping", 0)


def test_a_dead_server_ends_it(rig: Rig) -> None:
    rig.node.start()
    rig.engine.dead = True
    with pytest.raises(EngineError, match="vLLM ended"):
        rig.node.step(0.1)


def test_the_heartbeat_repeats_the_status_while_vllm_answers(
    kafka: KafkaSettings, vllm: FakeVllm, tmp_path: Path
) -> None:
    rig = Rig(kafka, vllm, tmp_path, heartbeat_seconds=0.2)
    rig.node.start()
    rig.steps()
    beats = len(rig.said)
    assert beats >= 4
    rig.engine.silent = True
    rig.steps()
    assert len(rig.said) == beats
    rig.close()


def test_the_heart_beats_on_while_large_weights_load(kafka: KafkaSettings, vllm: FakeVllm, tmp_path: Path) -> None:
    rig = Rig(kafka, vllm, tmp_path, heartbeat_seconds=0.2)
    rig.node.start()
    vllm.load_seconds = 1.5
    rig.announce(1, seed=1)
    rig.steps(0.5)
    assert rig.said.count(("swapping", 0)) >= 4
    assert rig.said[-1] == ("ready", 1)
    rig.close()


def test_a_node_that_starts_says_so(kafka: KafkaSettings, vllm: FakeVllm, tmp_path: Path) -> None:
    rig = Rig(kafka, vllm, tmp_path, heartbeat_seconds=0.1)
    rig.engine.silent, given_up = True, threading.Event()
    threading.Timer(1.0, given_up.set).start()
    assert not rig.node.wait_ready(given_up.is_set)
    assert rig.said.count(("starting", 0)) == len(rig.said) >= 4
    rig.close()


def test_the_topic_is_followed_while_others_write(rig: Rig) -> None:
    rig.node.start()

    def train() -> None:
        for version in range(1, 6):
            rig.announce(version, seed=version)

    trainer = threading.Thread(target=train)
    trainer.start()
    rig.steps(2.0)
    trainer.join()
    rig.steps()
    assert rig.said[-1] == ("ready", 5)


def test_it_waits_for_its_turn_while_another_node_loads(rig: Rig) -> None:
    def another_serves(version: int) -> None:
        status = NodeStatus(
            node="n0",
            url="u",
            model="policy",
            version=version,
            health="ready",
            logprobs_mode="m",
            max_model_len=1,
            at=now(),
        )
        rig.producer.send(NODES, status).result(30)

    another_serves(0)
    rig.node.start()
    rig.announce(1, seed=1)
    rig.steps(0.5)
    assert rig.node.version == 0
    rig.announce(2, seed=2)
    another_serves(2)
    until = time.monotonic() + 20
    while rig.node.version == 0 and time.monotonic() < until:
        rig.steps(0.1)
    assert (rig.node.version, rig.loaded) == (2, ["w2"])
