"""The preview's fingerprint is that of the batch then trained."""

import json
import time
from pathlib import Path

import pytest

from clawstream.console.preview import Windows, limits_of, preview
from clawstream.streams.reading.consumer import GroupConsumer
from clawstream.streams.settings import KafkaSettings, load
from clawstream.streams.windows.fingerprint import fingerprint
from clawstream.streams.windows.seen import SeenSamples
from clawstream.streams.windows.usable import ModelLimits, unusable
from clawstream.streams.windows.window import Window, WindowAssembler
from clawstream.streams.writing.dead import DeadLetters
from clawstream.streams.writing.producer import Producer
from clawstream.topics import SAMPLES, WEIGHTS
from clawstream.trainer.reports import Lags, Outcome, make_report
from clawstream.trainer.settings import TrainerSettings
from tests.builders import NOON, a_sample, a_sequence, a_version

LIMITS = ModelLimits(max_positions=100, vocabulary_size=100)


def trained(kafka: KafkaSettings, settings: TrainerSettings, version: int) -> Window:
    """The window that the trainer's parts make now; it commits as the trainer does."""
    assembler = WindowAssembler(settings.limits, lambda s, v: unusable(s, LIMITS, v), SeenSamples(100), {})
    producer = Producer(kafka, "trainer")
    consumer = GroupConsumer(kafka, SAMPLES, settings.group, DeadLetters(kafka, producer, "trainer"))
    deadline = time.monotonic() + 60
    while not assembler.due(0.0) and time.monotonic() < deadline:
        for received in consumer.consume(assembler.room, 0.2):
            assembler.add(received, version, 0.0)
    window = assembler.close()
    consumer.commit(window.next_offsets)
    consumer.close()
    producer.close()
    return window


@pytest.mark.kafka
def test_the_fingerprint_is_that_of_the_batch_then_trained(kafka: KafkaSettings, tmp_path: Path) -> None:
    settings = TrainerSettings(model=tmp_path, window_samples=3, max_policy_lag=1, window_seconds=1e6)
    windows = Windows(window_samples=3, max_policy_lag=1, window_seconds=1e6)
    producer = Producer(kafka, "test")
    producer.send(WEIGHTS, a_version(5)).result(30)
    named = {
        "s1": a_sample(sample_id="s1", sequences=[a_sequence([1], [2], version=5)]),
        "stale": a_sample(sample_id="stale", sequences=[a_sequence([1], [2], version=2)]),
        "val": a_sample(sample_id="val", channel="val", sequences=[a_sequence([1], [2], version=5)]),
        "s2": a_sample(sample_id="s2", sequences=[a_sequence([1], [2], version=4)]),
        "s3": a_sample(sample_id="s3", sequences=[a_sequence([1], [2], version=5)]),
        "s4": a_sample(sample_id="s4", sequences=[a_sequence([1], [2], version=5)]),
    }
    for sample in named.values():
        producer.send(SAMPLES, sample).result(30)
    found = preview(kafka, windows, lambda _: [])
    assert found.is_due
    assert [sample.sample_id for sample in found.samples] == ["s1", "s2", "s3"]
    assert [sample.sample_id for sample in found.validation] == ["val"]
    assert [discard.reason for discard in found.discarded] == ["stale: 3 versions behind, at most 1 train"]
    window = trained(kafka, settings, 5)
    lags = Lags(consumer_records=0, publish_versions=None)
    report = make_report(window, 5, Outcome(metrics={}, seconds=1.0, lags=lags), settings, NOON)
    assert fingerprint(report.sample_ids) == found.fingerprint
    after = preview(kafka, windows, lambda _: [])
    assert ([sample.sample_id for sample in after.samples], after.is_due) == (["s4"], False)
    repeated = preview(kafka, windows, lambda ids: ids)
    assert [discard.reason for discard in repeated.discarded] == ["repeated: consumed before"]
    producer.close()


def test_the_order_in_which_samples_came_does_not_matter() -> None:
    assert fingerprint(["a", "b"]) == fingerprint(["b", "a"]) != fingerprint(["ab"])


def test_settings_are_the_trainers(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[trainer]\nmodel = "m"\nwindow_samples = 7\nalgorithm = "dapo"\nlearning_rate = 1e-3\n')
    environ = {"CLAWSTREAM_CONFIG": str(file)}
    assert load(Windows, environ=environ).limits == load(TrainerSettings, environ=environ).limits
    assert load(Windows, environ=environ).limits.drop_flat_groups


def test_a_models_limits_are_those_of_its_folder(tmp_path: Path) -> None:
    assert limits_of(None).max_positions == 2**31
    assert limits_of(tmp_path).max_positions == 2**31
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 64, "vocab_size": 600}))
    assert limits_of(tmp_path) == ModelLimits(max_positions=64, vocabulary_size=600)
