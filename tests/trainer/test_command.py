"""The trainer as a process on a real Kafka: what is trained is trained once, and nothing is lost."""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from clawstream.processors.replay.copying import Copy, run, with_version
from clawstream.schemas import NodeStatus, Sample, UpdateReport, WeightVersion, now
from clawstream.schemas.transfer import Offer
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.files.snapshots import weights_digest
from clawstream.streams.process.ending import FOR_GOOD
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES, SAMPLES, UPDATES, WEIGHTS
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.versions.checkpoint import Checkpoints
from clawstream.trainer.versions.retiring import set_retired
from clawstream.trainer.weights import listed, rolled_back
from tests.builders import a_sample
from tests.tiny_model import make_tiny_model
from tests.trainer.forge import Forge
from tests.trainer.streams import samples
from tests.trainer.transfer.node import answered, joined, taken

pytestmark = pytest.mark.kafka
WINDOW, UPDATE_COUNT = 4, 5


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forge]:
    forge = Forge(tmp_path_factory.mktemp("forge") / "train.log")
    yield forge
    forge.close()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"))


def produce(kafka: KafkaSettings, records: list[Sample]) -> None:
    producer = Producer(kafka, "test")
    for record in records:
        producer.send(SAMPLES, record)
    producer.close()


def wait_until(true: Callable[[], bool], forge: Forge, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, forge.log.read_text()[-3000:]
        time.sleep(0.01)


def updates_of(kafka: KafkaSettings) -> list[UpdateReport]:
    """Every update once, by its id; a report that was repeated must be the same."""
    found: dict[str, UpdateReport] = {}
    for report in read_all(kafka, UPDATES):
        assert found.setdefault(report.update_id, report) == report
    return sorted(found.values(), key=lambda report: report.version)


def versions_of(kafka: KafkaSettings) -> dict[int, WeightVersion]:
    return {weights.version: weights for weights in read_all(kafka, WEIGHTS)}


def trainer(model: Path, output_dir: Path, **fields: Any) -> TrainerSettings:
    return TrainerSettings(
        model=model,
        output_dir=output_dir,
        **({"window_samples": WINDOW, "window_seconds": 60.0, "max_policy_lag": 100, "learning_rate": 1e-3} | fields),
    )


def test_killed_at_random_it_trains_each_sample_once_and_ends_with_the_same_weights(
    kafka: KafkaSettings, forge: Forge, model: Path, tmp_path: Path
) -> None:
    sent = samples(WINDOW * UPDATE_COUNT)
    produce(kafka, [*sent[:7], sent[2], *sent[7:]])
    settings, moments = trainer(model, tmp_path / "killed"), random.Random(3)
    newest = Checkpoints(settings.output_dir, 4).newest
    for kill in range(3):
        pid = forge.start(settings, kafka)
        goal = min((newest() or 0) + kill % 2, UPDATE_COUNT)
        wait_until(lambda goal=goal: (newest() or 0) >= goal, forge)  # type: ignore[misc]
        time.sleep(moments.uniform(0.0, 0.4))
        os.kill(pid, signal.SIGKILL)
        assert forge.wait() == -signal.SIGKILL
    pid = forge.start(settings, kafka)
    wait_until(lambda: len(updates_of(kafka)) == UPDATE_COUNT, forge)
    os.kill(pid, signal.SIGTERM)
    assert forge.wait() == 0

    updates = updates_of(kafka)
    assert [update.version for update in updates] == list(range(1, UPDATE_COUNT + 1))
    assert Counter(name for update in updates for name in update.sample_ids) == Counter(s.sample_id for s in sent)
    assert [discard.sample_id for update in updates for discard in update.discarded] == ["sample-2"]
    weights = versions_of(kafka)
    assert weights[UPDATE_COUNT].parent == UPDATE_COUNT - 1

    undisturbed = kafka.model_copy(update={"topic_prefix": f"{kafka.topic_prefix}again-"})
    assert (
        digest_of_undisturbed_run(undisturbed, forge, model, tmp_path / "whole", sent) == weights[UPDATE_COUNT].sha256
    )


def digest_of_undisturbed_run(
    kafka: KafkaSettings, forge: Forge, model: Path, output_dir: Path, sent: list[Sample]
) -> str:
    create_missing(kafka)
    produce(kafka, sent)
    pid = forge.start(trainer(model, output_dir), kafka)
    wait_until(lambda: len(updates_of(kafka)) == UPDATE_COUNT, forge)
    os.kill(pid, signal.SIGTERM)
    assert forge.wait() == 0
    return versions_of(kafka)[UPDATE_COUNT].sha256


def test_first_start_announces_the_initial_weights_and_time_closes_a_window(
    kafka: KafkaSettings, forge: Forge, model: Path, tmp_path: Path
) -> None:
    settings = trainer(model, tmp_path, window_seconds=0.5, max_policy_lag=4, transfer="gloo")
    pid = forge.start(settings, kafka)
    wait_until(lambda: 0 in versions_of(kafka), forge)
    first = versions_of(kafka)[0]
    folder = tmp_path / "version-000000"
    assert (first.model, first.parent, first.update_id) == ("policy", None, None)
    assert first.uri == folder.as_uri()
    assert first.sha256 == weights_digest(folder) == weights_digest(model)

    seen = a_sample(0.25, sample_id="val-1", channel="val")
    produce(kafka, [seen, *samples(2), a_sample(sample_id="later", channel="other")])
    wait_until(lambda: 1 in versions_of(kafka), forge)
    assert_sent(versions_of(kafka)[1], tmp_path / "version-000001")
    os.kill(pid, signal.SIGTERM)
    assert forge.wait() == 0
    [update] = updates_of(kafka)
    assert update.sample_ids == ["sample-0", "sample-1"]
    assert update.metrics["grad_norm"] > 0
    assert update.publish_lag_versions is None
    assert [(each.version, each.sample_ids, each.reward_mean) for each in update.validations] == [(0, ["val-1"], 0.25)]
    assert versions_of(kafka)[1].sha256 == weights_digest(tmp_path / "version-000001")


def assert_sent(weights: WeightVersion, folder: Path) -> None:
    """Who asks the trainer gets what lies on disk."""
    assert weights.transfer is not None
    with answered(weights.transfer, weights) as offer:
        assert isinstance(offer, Offer)
        found, expected = taken(offer, joined(offer)), load_file(folder / "model.safetensors")
    assert found.keys() == expected.keys()
    assert all(found[name].equal(tensor) for name, tensor in expected.items())


def test_a_second_trainer_and_a_lost_output_dir_are_refused(
    kafka: KafkaSettings, forge: Forge, model: Path, tmp_path: Path
) -> None:
    settings = trainer(model, tmp_path / "first", window_samples=1)
    with Checkpoints(settings.output_dir, 2).owned():
        forge.start(settings, kafka)
        assert forge.wait() == 1
    assert "another trainer works in" in forge.log.read_text()

    produce(kafka, samples(1))
    pid = forge.start(settings, kafka)
    wait_until(lambda: 1 in versions_of(kafka), forge)
    os.kill(pid, signal.SIGTERM)
    assert forge.wait() == 0
    forge.start(trainer(model, tmp_path / "second"), kafka)
    assert forge.wait() == FOR_GOOD
    assert "version 1 of policy was announced, but" in forge.log.read_text()


def test_weights_that_diverge_are_not_announced(
    kafka: KafkaSettings, forge: Forge, model: Path, tmp_path: Path
) -> None:
    endless = a_sample(3e38, 0.0, 1e-30, 2)
    produce(kafka, [endless])
    forge.start(trainer(model, tmp_path, window_samples=1), kafka)
    assert forge.wait() == FOR_GOOD
    assert "the gradient norm is" in forge.log.read_text()
    assert sorted(versions_of(kafka)) == [0]
    assert Checkpoints(tmp_path, 2).newest() == 0
    left = json.loads((tmp_path / "thrown-away-000001.json").read_text())
    assert left["update"]["sample_ids"] == [endless.sample_id]
    assert "the gradient norm is" in left["thrown_away_because"]


def test_a_rollback_is_a_new_version_and_training_goes_on_from_it(
    kafka: KafkaSettings, forge: Forge, model: Path, tmp_path: Path
) -> None:
    settings = trainer(model, tmp_path, window_samples=2)

    def train_up_to(version: int) -> None:
        pid = forge.start(settings, kafka)
        wait_until(lambda: version in versions_of(kafka), forge)
        os.kill(pid, signal.SIGTERM)
        assert forge.wait() == 0

    produce(kafka, samples(2))
    train_up_to(1)
    with Checkpoints(tmp_path, 2).owned(), pytest.raises(TrainerError, match="another trainer works in"):
        rolled_back(settings, kafka, 0)
    assert rolled_back(settings, kafka, 0).version == 2
    versions = versions_of(kafka)
    assert (versions[2].sha256, versions[2].parent) == (versions[0].sha256, 0)
    assert [(line.version, line.parent) for line in listed(settings, kafka)] == [(0, None), (1, 0), (2, 0)]

    produce(kafka, samples(4))  # the first two have trained already
    train_up_to(3)
    assert [(u.version, u.parent, u.sample_ids) for u in updates_of(kafka)] == [
        (1, 0, ["sample-0", "sample-1"]),
        (3, 2, ["sample-2", "sample-3"]),
    ]


def test_a_replayed_range_trains_another_model(kafka: KafkaSettings, forge: Forge, model: Path, tmp_path: Path) -> None:
    produce(kafka, [with_version(sample, 7) for sample in samples(WINDOW)])
    assert run(kafka, Copy(topic=SAMPLES, into="again", as_version=0)) == 0
    again = kafka.model_copy(update={"topic_prefix": kafka.name("again-")})
    pid = forge.start(trainer(model, tmp_path / "again"), again)
    wait_until(lambda: len(updates_of(again)) == 1, forge)
    os.kill(pid, signal.SIGTERM)
    assert forge.wait() == 0
    (update,) = updates_of(again)
    assert sorted(update.sample_ids) == sorted(sample.sample_id for sample in samples(WINDOW))
    assert updates_of(kafka) == []


def test_a_trainer_stops_when_its_adapter_is_retired_or_anothers_appears(
    kafka: KafkaSettings, forge: Forge, model: Path, tmp_path: Path
) -> None:
    settings = trainer(model, tmp_path / "acme", tenant="acme", adapter_of="policy", lora_rank=4)
    forge.start(settings, kafka)
    wait_until(lambda: 0 in versions_of(kafka), forge)
    set_retired(kafka, "policy-acme", retired=True)
    assert forge.wait() == FOR_GOOD
    assert "policy-acme was retired at version 0" in forge.log.read_text()
    forge.start(settings, kafka)
    assert forge.wait() == FOR_GOOD
    assert [each.retired for each in read_all(kafka, WEIGHTS)] == [False, True, True]  # said again, lest it be undone

    whole = trainer(model, tmp_path / "whole")
    pid = forge.start(whole, kafka)
    wait_until(lambda: versions_of(kafka)[0].base is None, forge)
    set_retired(kafka, "policy-acme", retired=False)
    assert forge.wait() == FOR_GOOD
    assert "would train what these adapters sampled, too: policy-acme of acme" in forge.log.read_text()
    pid = forge.start(whole.model_copy(update={"tenants_left_out": "acme"}), kafka)
    wait_until(lambda: read_all(kafka, WEIGHTS)[-1].model == "policy", forge)
    os.kill(pid, signal.SIGTERM)
    assert forge.wait() == 0


def test_what_a_node_serves_is_not_removed(kafka: KafkaSettings, forge: Forge, model: Path, tmp_path: Path) -> None:
    node = NodeStatus(
        node="n1", url="u", model="policy", version=1, health="ready", logprobs_mode="m", max_model_len=1, at=now()
    )
    producer = Producer(kafka, "test")
    producer.send(NODES, node)
    producer.close()
    produce(kafka, samples(4))
    pid = forge.start(trainer(model, tmp_path, window_samples=1, keep_snapshots=2), kafka)
    wait_until(lambda: Checkpoints(tmp_path, 2).versions() == [0, 1, 3, 4], forge)
    os.kill(pid, signal.SIGTERM)
    assert forge.wait() == 0
    assert Checkpoints(tmp_path, 2).versions() == [0, 1, 3, 4]
