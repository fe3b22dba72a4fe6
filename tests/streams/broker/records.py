"""Write records to a broker and read them back, counting what was acknowledged."""

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from clawstream.streams.cluster.clients import admin_client

TIMEOUT_SECONDS = 30.0


class CountingProducer:
    """Produces numbered records with acks=all and knows which of them were acknowledged."""

    def __init__(self, servers: str, topic: str) -> None:
        self.acknowledged: set[int] = set()
        self._topic = topic
        self._next = 0
        options = {"enable.idempotence": True, "compression.type": "lz4", "reconnect.backoff.max.ms": 250}
        self._producer = Producer({"bootstrap.servers": servers, "log_level": 0, **options})

    def send(self, count: int) -> None:
        """Hand over ``count`` more records, and take the acknowledgements that are there."""
        for _ in range(count):
            self._producer.produce(self._topic, str(self._next), on_delivery=self._delivered)
            self._next += 1
        self._producer.poll(0.01)

    def flush(self) -> None:
        """Wait until all that was sent is acknowledged."""
        assert self._producer.flush(TIMEOUT_SECONDS) == 0

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            value = message.value()
            assert value is not None
            self.acknowledged.add(int(value))


def create_topic(servers: str, topic: str) -> None:
    """Create ``topic`` with one partition."""
    client = admin_client({"bootstrap.servers": servers})
    client.create_topics([NewTopic(topic, 1, 1)])[topic].result(TIMEOUT_SECONDS)


def read_all(servers: str, topic: str) -> list[int]:
    """Every record of ``topic``, in the log's order."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "read-all", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[int] = []
    while True:
        message = consumer.poll(TIMEOUT_SECONDS)
        assert message is not None, f"{topic} did not end within {TIMEOUT_SECONDS} s"
        error = message.error()
        if error is not None and error.code() == KafkaError._PARTITION_EOF:
            consumer.close()
            return found
        if error is not None:
            raise KafkaException(error)
        value = message.value()
        assert value is not None
        found.append(int(value))
