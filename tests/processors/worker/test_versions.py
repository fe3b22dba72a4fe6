"""The newest versions that were announced, as a worker follows them."""

from clawstream.processors.worker.versions import NewestVersions
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import WEIGHTS
from tests.builders import a_version
from tests.processors.worker.test_worker import eventually


def test_each_model_counts_its_own_and_what_was_announced_is_known_at_once(kafka: KafkaSettings) -> None:
    producer = Producer(kafka, "trainer")
    producer.send(WEIGHTS, a_version(9))
    for version, retired in ((2, False), (3, False), (3, True)):
        producer.send(WEIGHTS, a_version(version, model="policy-acme", base="policy", retired=retired))
    producer.send(WEIGHTS, a_version(0, model="other")).result()
    newest = NewestVersions(kafka)
    assert newest.by_model == {"policy": 9, "policy-acme": 3, "other": 0}
    producer.send(WEIGHTS, a_version(1, model="other")).result()
    producer.close()
    assert eventually(lambda: newest.by_model["other"] == 1)
    assert newest.by_model == {"policy": 9, "policy-acme": 3, "other": 1}
