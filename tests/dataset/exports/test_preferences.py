from clawstream.dataset.exports.preferences import preferences
from tests.dataset.builders import a_row, talk


def pairs(*rows: object, how: str = "best", margin: float = 0.0) -> list[tuple[str, str]]:
    found = preferences(rows, how, margin)  # type: ignore[arg-type]
    return [(pair["chosen"][0]["content"], pair["rejected"][0]["content"]) for pair in found]


def test_the_best_against_the_worst_of_one_prompt() -> None:
    rows = [a_row("a", reward=0.0), a_row("b", reward=1.0), a_row("c", reward=0.5), a_row("d", reward=None)]
    other = a_row("e", reward=9.0, messages_json=talk("another question", "x"))
    assert pairs(*rows, other) == [("answer of b", "answer of a")]
    (pair,) = preferences(rows, "best", 0.0)
    assert pair["prompt"] == [{"role": "user", "content": "what is 1 + 1?"}]
    assert (pair["reward_chosen"], pair["reward_rejected"]) == (1.0, 0.0)


def test_every_pair_with_a_margin() -> None:
    rows = [a_row("a", reward=0.0), a_row("b", reward=1.0), a_row("c", reward=0.5)]
    assert len(pairs(*rows, how="all")) == 3
    assert pairs(*rows, how="all", margin=0.6) == [("answer of b", "answer of a")]


def test_equal_rewards_prefer_nothing() -> None:
    assert pairs(a_row("a"), a_row("b")) == pairs(a_row("a")) == []


def test_a_trajectory_speaks_once() -> None:
    branch = a_row("a", reward=0.0, sequence=1, response_token_count=9, messages_json=talk("what is 1 + 1?", "longer"))
    assert pairs(a_row("a", reward=0.0), branch, a_row("b"), how="all") == [("answer of b", "longer")]
