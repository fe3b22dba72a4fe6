"""Which policy version sampled which response tokens.

Invariant: a version is never guessed. It is what the node said of these very tokens.
"""

from collections.abc import Sequence

from clawstream.gateway.chat.chunks import ReportedSpan
from clawstream.schemas import PolicySpan


def policy_spans(reported: Sequence[ReportedSpan] | None) -> list[PolicySpan] | None:
    """Spans over the response tokens; ``None`` when the version is unknown."""
    if reported is None or any(not (span.version.isascii() and span.version.isdigit()) for span in reported):
        return None  # a label such as "default": the node never followed `weights`
    return [
        PolicySpan(version=int(span.version), start=span.start, end=span.end)
        for span in reported
        if span.start != span.end
    ]


def cover(spans: Sequence[PolicySpan], token_count: int) -> bool:
    """Do ``spans`` cover ``[0, token_count)`` in order, with no gap and no overlap?"""
    position = 0
    for span in spans:
        if span.start != position or span.end <= span.start:
            return False
        position = span.end
    return position == token_count
