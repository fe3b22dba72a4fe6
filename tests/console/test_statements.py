import pytest

from clawstream.console.index.summary import curated
from clawstream.console.statements import Subject, Word, statements, undone
from tests.builders import a_feedback

WALK = Subject(trajectory_id="walk", group_id="park")


def test_a_word_on_many_is_a_statement_on_each() -> None:
    word = Word(decision="reject", person="ana", why="wrong tool")
    first, second = statements(word, [WALK, Subject(trajectory_id="run", group_id="park", step_id="s1")], "k")
    assert first == {
        "kind": "curated",
        "trajectory": "walk",
        "group": "park",
        "step_id": None,
        "source": "console/ana",
        "key": "k-0",
        "detail": {"trainable": False, "quality": "incorrect", "note": "wrong tool"},
    }
    assert (second["trajectory"], second["step_id"], second["key"]) == ("run", "s1", "k-1")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (Word(decision="accept", person="a"), {"kind": "curated", "detail": {"trainable": True, "quality": "correct"}}),
        (Word(decision="reward", person="a", reward=0.5), {"kind": "rewarded", "reward": 0.5, "detail": None}),
        (
            Word(decision="tag", person="a", tags=" odd  long "),
            {"kind": "curated", "detail": {"tags": ["odd", "long"]}},
        ),
        (Word(decision="hint", person="a", hint=" look "), {"kind": "curated", "detail": {"hint": "look"}}),
    ],
)
def test_each_decision_says_only_what_it_names(word: Word, said: dict[str, object]) -> None:
    (statement,) = statements(word, [WALK], "k")
    assert {name: statement[name] for name in said} == said


@pytest.mark.parametrize(
    ("word", "problem"),
    [
        (Word(decision="accept", person=" "), "Say who you are"),
        (Word(decision="reject", person="ana"), "Say why it must not train"),
        (Word(decision="reward", person="ana"), "Give a reward"),
        (Word(decision="hint", person="ana"), "Write a hint"),
        (Word(decision="tag", person="ana"), None),
    ],
)
def test_what_is_missing_is_named(word: Word, problem: str | None) -> None:
    assert word.problem() == problem


def test_undoing_says_again_what_held_before() -> None:
    first = a_feedback("curated", detail_json='{"trainable": true, "tags": ["a"]}')
    second = a_feedback("curated", detail_json='{"trainable": false, "tags": []}')
    back = undone(second, [first], "ben", "k")
    assert back is not None
    assert back["source"] == "console/ben"
    assert back["detail"] == {"note": f"undoes {second.feedback_id}", "trainable": True, "tags": ["a"]}
    back = undone(first, [], "ben", "k")
    assert back is not None
    assert back["detail"] == {
        "note": f"undoes {first.feedback_id}",
        "trainable": True,
        "quality": "unreviewed",
        "tags": [],
    }


def test_a_reward_is_undone_by_the_one_before_it() -> None:
    first = a_feedback("rewarded", reward=1.0, source="console/ana")
    others = a_feedback("rewarded", reward=0.25, source="judge")
    second = a_feedback("rewarded", reward=0.0, source="console/ana")
    back = undone(second, [first, others], "ben", "k")
    assert back is not None
    assert (back["reward"], back["source"], back["detail"]) == (
        1.0,
        "console/ana",
        {"note": f"undoes {second.feedback_id}"},
    )
    assert undone(first, [others], "ben", "k") is None
    assert curated(a_feedback("curated", detail_json="[]")) == {}
