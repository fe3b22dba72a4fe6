import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.processors.rewards.voting import below_quorum, boxed, majority, mean, sign_vote

VOTES = st.lists(st.sampled_from([1.0, -1.0, 0.0, None]), max_size=7)


@pytest.mark.parametrize(
    ("votes", "quorum", "expected"),
    [
        ([1, 1, -1], 1, 1.0),
        ([1, -1, 0], 1, 0.0),
        ([1, None, None], 1, 1.0),
        ([1, None, None], 2, None),
        ([1, 1, -1, -1, 0], 1, 0.0),
        ([-1, -1, 0], 3, -1.0),
        ([None, None, None], 0, None),
        ([], 1, None),
    ],
)
def test_the_majority_of_readable_votes_counts(votes: list[float | None], quorum: int, expected: float | None) -> None:
    assert majority(votes, quorum) == expected


@given(VOTES, st.integers(0, 4))
def test_unscored_is_not_neutral(votes: list[float | None], quorum: int) -> None:
    readable = [vote for vote in votes if vote is not None]
    assert (majority(votes, quorum) is None) == (len(readable) < max(1, quorum)) == (mean(votes, quorum) is None)


@given(VOTES.flatmap(lambda votes: st.tuples(st.just(votes), st.permutations(votes))))
def test_the_order_of_votes_does_not_matter(votes: tuple[list[float | None], list[float | None]]) -> None:
    assert majority(votes[0]) == majority(votes[1])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"fine. \boxed{1}", 1.0),
        (r"first \boxed{1}, no: \boxed{-1}", -1.0),
        (r"\boxed{ +1 }", 1.0),
        (r"\boxed{1.0}", 1.0),
        (r"\boxed{0}", 0.0),
        (r"\boxed{2}", None),
        (r"\boxed{good}", None),
        ("1", None),
        ("", None),
    ],
)
def test_a_vote_is_the_last_boxed_sign(text: str, expected: float | None) -> None:
    assert sign_vote(text) == expected


def test_grades_are_averaged() -> None:
    assert boxed(r"so \boxed{0.75}") == 0.75
    assert mean([0.5, None, 1.0]) == 0.75
    assert below_quorum([None, 1.0], 2) == "1 of 2 votes could be read, 2 needed"
