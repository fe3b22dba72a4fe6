from typing import Any

import pytest

from clawstream.processors.replay.copying import Copy, run, with_version
from clawstream.processors.replay.selection import Selection
from clawstream.processors.replay.side import Side
from clawstream.schemas import Sample
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.reading.query import condition
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.windows.own import own_part
from clawstream.streams.windows.usable import ModelLimits, unusable
from clawstream.streams.writing.producer import Producer
from clawstream.topics import SAMPLES
from tests.builders import a_sample, a_sequence


def test_samples_of_another_policy_can_be_trained_from_version_0() -> None:
    sample, limits = (
        a_sample(sequences=[a_sequence([1], [2], version=7, model="policy")]),
        ModelLimits(max_positions=9, vocabulary_size=9),
    )
    assert "policy version 7 sampled it" in str(unusable(sample, limits, 0))
    copied = with_version(sample, 0)
    assert unusable(copied, limits, 0) is None
    assert own_part(sample, "mine", "").sequences == []
    assert own_part(copied, "mine", "") is copied
    assert copied.sequences[0].logprobs == sample.sequences[0].logprobs


@pytest.mark.kafka
def test_records_are_copied_once_and_as_they_are(kafka: KafkaSettings) -> None:
    samples = [a_sample(reward=float(n), group_id=f"g{n % 3}", trajectory_id=f"t{n}") for n in range(9)]

    def send(some: list[Sample]) -> None:
        producer = Producer(kafka, "test")
        for sample in some:
            producer.send(SAMPLES, sample)
        producer.close()

    def copied(into: str, **asked: Any) -> list[Sample]:
        assert run(kafka, Copy(topic=SAMPLES, into=into, **asked)) == 0
        found = read_all(kafka.model_copy(update={"topic_prefix": kafka.name(f"{into}-")}), SAMPLES)
        return sorted(found, key=lambda sample: sample.reward)

    send(samples)
    assert copied("all") == samples
    send([a_sample(reward=10.0)])
    assert copied("all") == samples  # the range is that of the beginning
    where = (condition("reward>=5", Sample.__struct_fields__),)
    assert [sample.reward for sample in copied("some", selection=Selection(where=where))] == [5, 6, 7, 8, 10]
    (relabelled,) = copied("one", selection=Selection(trajectories=frozenset({"t3"})), as_version=4)
    assert relabelled == with_version(samples[3], 4)


@pytest.mark.kafka
def test_a_copy_that_broke_off_goes_on(kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    sent, reached, calls = [a_sample(reward=float(n)) for n in range(80)], Side.reached_offsets, []
    producer = Producer(kafka, "test")
    for sample in sent:
        producer.send(SAMPLES, sample)
    producer.close()

    def breaks(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        reached(*arguments)

    copy, derived = Copy(topic=SAMPLES, into="broken"), kafka.model_copy(update={"topic_prefix": kafka.name("broken-")})
    with monkeypatch.context() as patch:
        patch.setattr(Side, "reached_offsets", breaks)
        with pytest.raises(KeyboardInterrupt):
            run(kafka, copy)
    assert 0 < len(read_all(derived, SAMPLES)) < len(sent)
    assert run(kafka, copy) == 0
    found = read_all(derived, SAMPLES)
    assert len(sent) < len(found) < 2 * len(sent)
    assert {sample.sample_id: sample for sample in found} == {sample.sample_id: sample for sample in sent}
