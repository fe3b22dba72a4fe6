import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clawstream.schemas import Step
from clawstream.streams.broker import LocalBroker
from clawstream.streams.cluster.admin import create_missing
from clawstream.streams.errors import KafkaUnreachableError, StreamError
from clawstream.streams.lag.groups import LagReader
from clawstream.streams.process.ports import free_port
from clawstream.streams.reading.consumer import GroupConsumer
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.dead import DeadLetters
from clawstream.streams.writing.producer import Producer
from clawstream.topics import FEEDBACK, NODES, STEPS
from tests.builders import a_step

pytestmark = pytest.mark.kafka


def test_lag_is_what_a_group_has_not_committed(kafka: KafkaSettings) -> None:
    producer, lags = Producer(kafka, "test"), LagReader(kafka)
    for _ in range(5):
        producer.send(STEPS, a_step()).result(timeout=30)
    assert sum(lags.end_offsets(STEPS).values()) == 5
    assert lags.lag("readers", STEPS) == 5
    consumer: GroupConsumer[Step] = GroupConsumer(kafka, STEPS, "readers", DeadLetters(kafka, producer, "test"))
    received = [entry for _ in range(50) for entry in consumer.consume(3, 0.1)]
    assert len(received) == 5
    consumer.commit({received[2].partition: 3})
    consumer.close()
    assert lags.lag("readers", STEPS) == 2
    producer.close()


def test_the_cluster_says_how_many_partitions_there_are(kafka: KafkaSettings) -> None:
    other = kafka.model_copy(update={"partitions": 7})  # what would be created, not what is there
    assert LagReader(other).partition_count([STEPS, FEEDBACK]) == 4
    with pytest.raises(StreamError, match="steps has 4, nodes has 1"):
        LagReader(kafka).partition_count([STEPS, NODES])


def test_a_broker_that_is_started_again_is_asked_on(tmp_path: Path) -> None:
    """While a group's coordinator is elected, librdkafka's AdminClient would crash on the same question."""
    kafka = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}")
    port, stop = int(kafka.bootstrap_servers.rpartition(":")[2]), threading.Event()

    def ask() -> int:
        lags, answers = LagReader(kafka), 0
        while not stop.is_set():
            for number in range(3):
                with contextlib.suppress(KafkaUnreachableError):
                    answers += lags.lag(f"group{number}", STEPS) == 0
        return answers

    with ThreadPoolExecutor(2) as threads:
        for start in range(2):
            with LocalBroker(port=port, data_dir=tmp_path):
                if start == 0:
                    create_missing(kafka)
                    asking = [threads.submit(ask) for _ in range(2)]
                time.sleep(2)
                if start == 1:
                    stop.set()
                    assert all(each.result() > 0 for each in asking)
