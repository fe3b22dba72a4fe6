"""Votes of a judge become one value. Pure.

Invariant: unscored is not neutral. Fewer readable votes than the quorum give no value at all::

    +1 +1 -1        +1          +1 0 -1         0, a tie
    +1 ?  ?         +1          quorum 2: none
    ?  ?  ?         none
"""

import re
from collections import Counter
from collections.abc import Sequence
from statistics import fmean

_BOXED = re.compile(r"\\boxed\{\s*([-+]?\d+(?:\.\d+)?)\s*\}")


def boxed(text: str) -> float | None:
    r"""The number in the last ``\boxed{}`` of ``text``."""
    found = _BOXED.findall(text)
    return float(found[-1]) if found else None


def sign_vote(text: str) -> float | None:
    """A vote of +1, -1 or 0; None when there is none, or another number."""
    value = boxed(text)
    return value if value in (1.0, -1.0, 0.0) else None


def majority(votes: Sequence[float | None], quorum: int = 1) -> float | None:
    """The value that most readable votes have, 0 when several have as many; None below the quorum."""
    counted = Counter(vote for vote in votes if vote is not None)
    if counted.total() < max(1, quorum):
        return None
    ordered = counted.most_common(2)
    return 0.0 if len(ordered) > 1 and ordered[0][1] == ordered[1][1] else ordered[0][0]


def mean(votes: Sequence[float | None], quorum: int = 1) -> float | None:
    """The mean of the readable votes; None below the quorum."""
    found = [vote for vote in votes if vote is not None]
    return fmean(found) if len(found) >= max(1, quorum) else None


def below_quorum(votes: Sequence[float | None], quorum: int) -> str:
    """Why there is no value."""
    readable = sum(vote is not None for vote in votes)
    return f"{readable} of {len(votes)} votes could be read, {max(1, quorum)} needed"
