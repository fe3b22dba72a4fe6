"""A policy version is never guessed."""

import pytest

from clawstream.gateway.chat.chunks import ReportedSpan
from clawstream.gateway.tokens.spans import cover, policy_spans
from clawstream.schemas import PolicySpan


def span(version: int, start: int, end: int) -> PolicySpan:
    return PolicySpan(version=version, start=start, end=end)


def test_reported_spans_are_taken_as_they_are() -> None:
    reported = [ReportedSpan(version="3", start=0, end=2), ReportedSpan(version="4", start=2, end=5)]
    assert policy_spans(reported) == [span(3, 0, 2), span(4, 2, 5)]


def test_a_label_that_is_no_version_is_unknown() -> None:
    assert policy_spans([ReportedSpan(version="default", start=0, end=2)]) is None


def test_without_a_report_nothing_is_guessed() -> None:
    assert policy_spans(None) is None


@pytest.mark.parametrize(
    ("spans", "covered"),
    [
        ([span(1, 0, 3)], True),
        ([span(1, 0, 1), span(2, 1, 3)], True),
        ([span(1, 0, 1), span(2, 2, 3)], False),
        ([span(1, 0, 2), span(2, 1, 3)], False),
        ([span(1, 1, 3)], False),
        ([span(1, 0, 4)], False),
        ([], False),
    ],
)
def test_cover_finds_gaps_and_overlaps(spans: list[PolicySpan], covered: bool) -> None:
    assert cover(spans, 3) is covered
