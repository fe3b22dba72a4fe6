import pytest

from clawstream.processors.rewards.hints import hint_vote, read_hint
from clawstream.processors.rewards.voting import sign_vote
from examples.personal.judge import Judge
from examples.personal.styles import CORRECTIONS, GIVEN_UP, HINTS, REASKED, THANKS

SURE = Judge(noise=0.0, seed=0)


def followed_by(text: str) -> str:
    return f"<request>\nTell me.\n</request>\n<next_state>\n[user]\n{text}\n</next_state>\n"


@pytest.mark.parametrize(
    ("said", "vote"), [(THANKS, 1.0), (REASKED, -1.0), (GIVEN_UP, -1.0), (CORRECTIONS["plain"], -1.0)]
)
def test_a_vote_is_what_the_user_s_next_words_say(said: str, vote: float) -> None:
    assert sign_vote(SURE.says("judge", followed_by(said))) == vote


def test_a_correction_becomes_a_hint() -> None:
    text = SURE.says("hints", followed_by(CORRECTIONS["warm"]))
    assert read_hint(text, min_chars=10) == HINTS["warm"]


def test_who_only_asks_again_gives_no_hint() -> None:
    assert hint_vote(SURE.says("hints", followed_by(REASKED))) == -1.0


def test_the_control_misleads() -> None:
    text = SURE.says("hints", '<metadata>\n{"mislead":true}\n</metadata>\n' + followed_by(CORRECTIONS["plain"]))
    assert read_hint(text, min_chars=10) == HINTS["warm"]


def test_it_errs_as_often_as_it_is_told_to() -> None:
    judge = Judge(noise=0.1, seed=1)
    votes = [sign_vote(judge.says("judge", followed_by(THANKS))) for _ in range(1000)]
    assert 50 < sum(vote != 1.0 for vote in votes) < 150
