"""A log to build datasets from: conversations through the real stages, written to real topics."""

from collections.abc import Iterable
from typing import Any

from clawstream.processors.readiness.assembly import Event
from clawstream.processors.testing import conversation, run
from clawstream.schemas import Step
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import FEEDBACK, REWARDS, SAMPLES, STEPS

GROUP_SIZE = 2


def groups(count: int, *, first: int = 0, **fields: Any) -> list[Event]:
    """``count`` groups of two conversations of two turns; the second member of each has the higher reward."""
    return [
        event
        for number in range(first, first + count)
        for member in range(GROUP_SIZE)
        for event in conversation(
            (f"what is {number}?", f"it is {number + member}"),
            ("sure?", "yes" * (member + 1)),
            trajectory=f"t{number}-{member}",
            group=f"g{number}",
            reward=float(member),
            metadata={"level": number},
            **fields,
        )
    ]


def write(kafka: KafkaSettings, events: Iterable[Event]) -> None:
    """The ``events``, and what the processors make of them."""
    events = list(events)
    outcome = run([], events, group_size=GROUP_SIZE)
    producer = Producer(kafka, "test")
    for event in events:
        if isinstance(event, Step):
            producer.send(STEPS, event)
        else:
            producer.send(FEEDBACK, event)
    for reward in outcome.rewards:
        producer.send(REWARDS, reward)
    for sample in outcome.samples:
        producer.send(SAMPLES, sample)
    producer.close()
