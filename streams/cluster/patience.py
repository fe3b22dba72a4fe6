"""Asking a cluster again: one that is just electing leaders has no answer for some seconds."""

import time
from collections.abc import Callable
from typing import TypeVar

from confluent_kafka import KafkaException

from clawstream.streams.errors import KafkaUnreachableError

A = TypeVar("A")

_PATIENCE_SECONDS = 10.0
_RETRY_SECONDS = 0.2


def patiently(ask: Callable[[], A], what: str) -> A:
    """What ``ask`` returns, in the end. Raises ``KafkaUnreachableError`` that names ``what`` is not known."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except (KafkaException, TimeoutError) as error:
            if time.monotonic() > deadline:
                raise KafkaUnreachableError(f"{what} is not known: {error!r}") from error
            time.sleep(_RETRY_SECONDS)
