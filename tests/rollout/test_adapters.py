"""What a node does with adapters that ``weights`` announces: real Kafka, vLLM's control routes alone."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawstream.streams.files.snapshots import weights_digest
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import NODES
from tests.rollout.fake_vllm import FakeVllm
from tests.rollout.rig import Rig

pytestmark = pytest.mark.kafka


@pytest.fixture
def rig(kafka: KafkaSettings, vllm: FakeVllm, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(kafka, vllm, tmp_path, adapters=2)
    yield made
    made.close()


def loads(rig: Rig) -> list[str]:
    """Names that vLLM was told to load adapters under."""
    return [body["lora_name"] for body in rig.vllm.bodies if body and "lora_name" in body]


def step_until(rig: Rig, name: str) -> None:
    """Let the node take announcements until it has told vLLM to load ``name``."""
    deadline = time.monotonic() + 30.0
    while name not in loads(rig):
        assert time.monotonic() < deadline, f"{name} was not loaded; {loads(rig)} were"
        rig.node.step(0.1)


def said(rig: Rig) -> list[tuple[str, str, int, str | None]]:
    return [(each.node, each.health, each.version, each.base) for each in read_all(rig.kafka, NODES)]


def test_each_version_is_loaded_beside_the_others_and_nothing_pauses(rig: Rig) -> None:
    rig.node.start()
    rig.announce(0, seed=1, model="policy-a", base="policy")
    step_until(rig, "policy-a@0")
    rig.announce(1, seed=2, model="policy-a", base="policy")
    step_until(rig, "policy-a@1")
    rig.announce(4, seed=3, model="policy-b", base="policy")
    step_until(rig, "policy-b@4")
    assert loads(rig) == ["policy-a@0", "policy-a@1", "policy-b@4"]
    assert "/pause" not in rig.vllm.paths


def test_each_adapter_is_a_node_of_its_own(rig: Rig) -> None:
    rig.node.start()
    rig.announce(1, seed=1, model="policy-a", base="policy")
    step_until(rig, "policy-a@1")
    assert said(rig)[1:] == [("n1", "ready", 0, None), ("n1:policy-a", "ready", 1, "policy")]
    rig.node.close()
    assert said(rig)[3:] == [("n1", "stopped", 0, None), ("n1:policy-a", "stopped", 1, "policy")]


def test_a_late_joiner_is_ready_once_its_adapters_are(rig: Rig, tmp_path: Path) -> None:
    rig.announce(3, seed=1, model="policy-a", base="policy")
    late = Rig(rig.kafka, rig.vllm, tmp_path / "late", name="n2", adapters=2)
    late.node.start()
    ready = [(node, version) for node, health, version, _ in said(late) if health == "ready"]
    assert ready == [("n2:policy-a", 3), ("n2", 0)]
    late.close()


def test_the_heart_beats_on_while_an_adapter_loads(kafka: KafkaSettings, vllm: FakeVllm, tmp_path: Path) -> None:
    rig = Rig(kafka, vllm, tmp_path, heartbeat_seconds=0.2, adapters=2)
    rig.node.start()
    vllm.load_seconds = 1.5
    rig.announce(1, seed=1, model="policy-a", base="policy")
    step_until(rig, "policy-a@1")
    assert rig.said.count(("ready", 0)) >= 6
    rig.close()


def test_an_announcement_again_and_another_models_adapter_are_passed(rig: Rig) -> None:
    rig.node.start()
    rig.announce(1, seed=1, model="policy-a", base="policy")
    step_until(rig, "policy-a@1")
    rig.announce(1, seed=1, model="other-a", base="other")
    rig.announce(1, seed=1, model="policy-a", base="policy")
    rig.steps(0.5)
    rig.announce(2, seed=1, model="policy-a", base="policy")
    step_until(rig, "policy-a@2")
    assert loads(rig) == ["policy-a@1", "policy-a@2"]


def test_what_is_damaged_or_too_many_is_refused_and_the_rest_serves_on(rig: Rig) -> None:
    rig.node.start()
    rig.announce(0, seed=1, model="policy-a", base="policy")
    step_until(rig, "policy-a@0")
    rig.announce(1, seed=2, model="policy-a", base="policy", sha256="0" * 64)
    rig.steps(0.5)
    rig.announce(2, seed=1, model="policy-b", base="policy")
    step_until(rig, "policy-b@2")
    rig.announce(3, seed=1, model="policy-c", base="policy")
    rig.steps(0.5)
    rig.announce(4, seed=2, model="policy-a", base="policy")
    step_until(rig, "policy-a@4")
    assert loads(rig) == ["policy-a@0", "policy-b@2", "policy-a@4"]


def test_the_model_itself_stays_as_it_is(rig: Rig) -> None:
    rig.node.start()
    rig.announce(1, seed=1)
    rig.steps()
    assert (rig.node.version, rig.loaded) == (0, [])


def test_a_node_without_adapters_loads_none(kafka: KafkaSettings, vllm: FakeVllm, tmp_path: Path) -> None:
    rig = Rig(kafka, vllm, tmp_path)
    rig.announce(1, seed=1, model="policy-a", base="policy")
    rig.node.start()
    assert loads(rig) == []


def unloads(rig: Rig) -> list[str]:
    called = zip(rig.vllm.paths, rig.vllm.bodies, strict=True)
    return [body["lora_name"] for path, body in called if path == "/v1/unload_lora_adapter"]


def test_a_retired_adapter_is_stopped_then_unloaded_and_can_be_restored(rig: Rig) -> None:
    rig.node.start()
    rig.announce(1, seed=1, model="policy-a", base="policy")
    step_until(rig, "policy-a@1")
    rig.announce(1, seed=1, model="policy-a", base="policy", retired=True)
    while said(rig)[-1] != ("n1:policy-a", "stopped", 1, "policy"):
        rig.node.step(0.1)
    assert unloads(rig) == []  # calls may be on their way
    rig.steps(2.5)
    assert unloads(rig) == ["policy-a"]
    rig.announce(1, seed=1, model="policy-a", base="policy")
    rig.steps(0.5)
    assert said(rig)[-1] == ("n1:policy-a", "ready", 1, "policy")
    assert (loads(rig).count("policy-a@1"), unloads(rig)) == (2, ["policy-a"])


def test_what_had_no_room_is_loaded_once_another_is_retired(rig: Rig) -> None:
    rig.node.start()
    for number, name in enumerate(("policy-a", "policy-b", "policy-c", "policy-d")):
        rig.announce(1, seed=number, model=name, base="policy")
    step_until(rig, "policy-b@1")
    rig.steps(0.5)
    rig.announce(1, seed=3, model="policy-d", base="policy", retired=True)  # it never was served
    rig.announce(1, seed=0, model="policy-a", base="policy", retired=True)
    step_until(rig, "policy-c@1")
    rig.announce(1, seed=1, model="policy-b", base="policy", retired=True)
    rig.steps(0.5)
    assert loads(rig) == ["policy-a@1", "policy-b@1", "policy-c@1"]


def test_a_restarted_node_does_not_load_what_is_retired(rig: Rig) -> None:
    rig.announce(1, seed=1, model="policy-a", base="policy")
    rig.announce(2, seed=1, model="policy-b", base="policy")
    rig.announce(1, seed=1, model="policy-a", base="policy", retired=True)
    rig.node.start()
    assert loads(rig) == ["policy-b@2"]


def test_what_vllm_reads_outlives_the_trainers_folder_and_a_folder_that_is_gone_stops_nobody(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.node.start()
    rig.announce(1, seed=1, model="policy-a", base="policy")
    step_until(rig, "policy-a@1")
    shutil.rmtree(rig.folder / "w1")  # pruned; vLLM may evict the adapter and read it again
    [read] = [Path(body["lora_path"]) for body in rig.vllm.bodies if body and "lora_path" in body]
    assert weights_digest(read)
    rig.announce(2, seed=2, model="policy-a", base="policy", sha256="0" * 64, uri="file:///gone/version-000002")
    rig.announce(1, seed=3, model="policy-b", base="policy")
    step_until(rig, "policy-b@1")
    assert (
        "version 2 of policy-a is not loaded: /gone/version-000002 is gone, or was never on this machine" in caplog.text
    )
    assert {(each.node, each.version) for each in read_all(rig.kafka, NODES)} >= {
        ("n1:policy-a", 1),
        ("n1:policy-b", 1),
    }


def test_the_version_served_is_kept_however_many_are_refused(rig: Rig) -> None:
    rig.node.start()
    rig.announce(1, seed=1, model="policy-a", base="policy")
    step_until(rig, "policy-a@1")
    rig.vllm.statuses["/v1/load_lora_adapter"] = 500
    for version in range(2, 8):
        rig.announce(version, seed=2, model="policy-a", base="policy")
        step_until(rig, f"policy-a@{version}")
    [kept] = rig.kept.iterdir()
    del rig.vllm.statuses["/v1/load_lora_adapter"]
    for version in range(8, 12):
        rig.announce(version, seed=2, model="policy-a", base="policy")
        step_until(rig, f"policy-a@{version}")
    assert len(list(rig.kept.iterdir())) == 4
    assert not kept.exists()
