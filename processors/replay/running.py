"""``clawstream replay``: reward processors over history, without writing to any topic.

Invariant: what is printed is what the processors would have given, had they been configured so then: the stages are the
same, and their clock is that of the events.
"""

import asyncio
import sys
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import msgspec

from clawstream.processors.assembly import Event
from clawstream.processors.configured import configured
from clawstream.processors.offline import process
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.testing import save
from clawstream.schemas import Step
from clawstream.streams.admin import wait_for_kafka
from clawstream.streams.consumer import Follower
from clawstream.streams.settings import KafkaSettings
from clawstream.topics import FEEDBACK, STEPS, Topic


def run(
    settings: ProcessorsSettings,
    kafka: KafkaSettings,
    trajectories: Collection[str] = (),
    since: datetime | None = None,
    save_to: str = "",
) -> int:
    """Print each reward that the processors give as a line of JSON; with ``save_to``, write the events there too."""
    scorers = configured(settings)
    wait_for_kafka(kafka)
    events = [event for event in _events(kafka) if _wanted(event, trajectories, since)]
    if save_to:
        save(save_to, events)
    outcome = asyncio.run(process(events, scorers, settings))
    names = {scorer.name for scorer in scorers}
    for reward in outcome.rewards:
        if reward.source in names:
            sys.stdout.write(msgspec.json.encode(reward).decode() + "\n")
    return 1 if outcome.failures else 0


def _events(kafka: KafkaSettings) -> Iterator[Event]:
    """Every step and statement, each once: a step that was submitted twice is one."""
    seen, sources = set[str](), list[Topic[Any]]([STEPS, FEEDBACK])
    for topic in sources:
        follower = Follower(kafka, topic)
        try:
            for received in follower.to_end():
                event: Event = received.record
                name = event.step_id if isinstance(event, Step) else event.feedback_id
                if name not in seen:
                    seen.add(name)
                    yield event
        finally:
            follower.close()


def _wanted(event: Event, trajectories: Collection[str], since: datetime | None) -> bool:
    at = event.received_at if isinstance(event, Step) else event.at
    return (not trajectories or event.trajectory_id in trajectories) and (since is None or at >= since)
