"""Errors of Kafka I/O; each says whether retrying helps."""


class StreamError(Exception):
    """Something between us and Kafka failed."""

    retriable = False


class KafkaSendError(StreamError):
    """A record was not acknowledged."""

    def __init__(self, topic: str, reason: str, *, retriable: bool, too_large: bool = False) -> None:
        """``too_large``: this record will never be taken, others may be."""
        super().__init__(f"a record for {topic} was not acknowledged: {reason}")
        self.retriable, self.too_large = retriable, too_large


class ProducerBrokenError(StreamError):
    """A producer can send nothing any more. Another process, with a producer of its own, may."""


class KafkaUnreachableError(StreamError):
    """No broker answered in time."""

    retriable = True


class KafkaRefusedError(StreamError):
    """A broker answered, and lets us in only with other settings."""


class PartitionsAddedError(StreamError):
    """A topic that is in use has more partitions than it was made with."""

    def __init__(self, topic: str, made: int, found: str) -> None:
        super().__init__(
            f"topic {topic} was made with {made} partitions and has {found}: trajectories that are open would be taken "
            "for two; nothing is read from it (docs/kafka.md, More partitions)"
        )
