"""Dead letters: what could not be read, and putting it back.

Invariant: they belong to no tenant, since nobody can read whose they are; so operators alone see them.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from nicegui import ui

from clawstream.console.access.sessions import Session
from clawstream.console.context import Console
from clawstream.console.pages.frame import heading
from clawstream.console.pages.parts import Cell, Show, table
from clawstream.console.pages.words import at
from clawstream.streams.errors import StreamError
from clawstream.streams.reading.letters import BuriedLetter, buried, redrive, topic_named
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import CATALOGUE, Topic

_NEWEST = 100  # of each topic
_SHOWN_BYTES = 200


async def letters(console: Console, session: Session) -> None:
    """All of them."""
    heading("Dead letters")
    if not console.is_operator(session):
        ui.label(f"Only operators see what could not be read: the tenants {console.settings.operators}.")
        return
    found = await asyncio.gather(*(asyncio.to_thread(_newest, console.kafka, topic) for topic in CATALOGUE))
    if not any(found):
        ui.label("There are none: everything could be read.")
    for topic, of_topic in zip(CATALOGUE, found, strict=True):
        if of_topic:
            heading(topic.name, 2)
            names = ("Number", "When (UTC)", "Read at", "By", "Cause", "Bytes", "")
            table(f"Dead letters of {topic.name}", names, [_row(console, each) for each in of_topic])


def _newest(kafka: KafkaSettings, topic: Topic[Any]) -> list[BuriedLetter]:
    return list(reversed(deque(buried(kafka, topic), maxlen=_NEWEST)))


def _row(console: Console, letter: BuriedLetter) -> Sequence[Cell | Show]:
    async def put_back() -> None:
        try:
            await asyncio.to_thread(_redrive, console.kafka, letter)
        except StreamError as error:
            ui.notify(str(error), type="negative")
            return
        ui.notify(f"{letter.topic}.dead@{letter.number} is back in {letter.topic}")

    value = letter.value or b""
    shown = value[:_SHOWN_BYTES].decode("ascii", errors="backslashreplace")
    return (
        str(letter.number),
        at(datetime.fromtimestamp(letter.timestamp_ms / 1000, UTC)),
        f"[{letter.partition}]@{letter.offset}" if letter.partition >= 0 else "–",
        letter.reader,
        letter.reason,
        f"{len(value)}: {shown}{'…' if len(value) > _SHOWN_BYTES else ''}",
        lambda: ui.button("Put back", icon="replay", color=None, on_click=put_back).props("outline dense"),
    )


def _redrive(kafka: KafkaSettings, letter: BuriedLetter) -> None:
    producer = Producer(kafka, "redrive")
    try:
        redrive(topic_named(letter.topic), letter, kafka, producer)
    finally:
        producer.close()
