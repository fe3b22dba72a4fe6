"""Asking again."""

import pytest
from confluent_kafka import KafkaError, KafkaException

from clawstream.streams.cluster import patience
from clawstream.streams.cluster.patience import patiently
from clawstream.streams.errors import KafkaUnreachableError


def test_what_fails_for_a_moment_is_asked_again() -> None:
    failures = [KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE)), TimeoutError()]

    def ask() -> int:
        if failures:
            raise failures.pop()
        return 7

    assert patiently(ask, "the end") == 7


def test_what_fails_for_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> int:
        raise TimeoutError("no answer")

    monkeypatch.setattr(patience, "_PATIENCE_SECONDS", 0.3)
    with pytest.raises(KafkaUnreachableError, match="the end of t is not known: TimeoutError"):
        patiently(ask, "the end of t")
