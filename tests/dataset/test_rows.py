from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clawstream.dataset.facts import Entry, facts_of
from clawstream.dataset.manifest import Recipe
from clawstream.dataset.row import Row
from clawstream.dataset.rows import rows_of
from clawstream.processors.testing import conversation, feedback, run
from clawstream.schemas import Step, encode, unpack_logprobs, unpack_tokens

TEXTS = st.text("ab", min_size=1, max_size=3)
TALKS = st.lists(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3), min_size=1, max_size=4)


def entries_of(talks: list[list[tuple[str, str]]]) -> list[Entry]:
    """What the topics hold of these conversations, as the stages make it."""
    events = [
        event
        for number, talk in enumerate(talks)
        for event in conversation(*talk, trajectory=f"t{number}", group="g", reward=float(number))
    ]
    outcome = run([], events, group_size=len(talks))
    steps = [event for event in events if isinstance(event, Step)]
    said = [event for event in events if not isinstance(event, Step)]
    records = {"steps": steps, "feedback": said, "rewards": outcome.rewards, "samples": outcome.samples}
    return [
        Entry(topic, 0, offset, encode(record)) for topic, each in records.items() for offset, record in enumerate(each)
    ]


def rows(entries: list[Entry], **asked: Any) -> list[Row | str]:
    found, _ = facts_of(entries)
    return [row for facts in found for row in rows_of(facts, Recipe(name="x", **asked))]


@given(talks=TALKS, seed=st.integers())
@settings(max_examples=20, deadline=None)
def test_each_sampled_token_is_in_one_row_whatever_order_records_came_in(
    talks: list[list[tuple[str, str]]], seed: int
) -> None:
    entries = entries_of(talks)
    found = rows(entries)
    assert all(isinstance(row, Row) for row in found)
    answers = [answer for talk in talks for _, answer in talk]
    sampled = []
    for row in found:
        assert isinstance(row, Row)
        tokens, logprobs = unpack_tokens(row.tokens), unpack_logprobs(row.logprobs)
        for span in row.responses:
            sampled.append(bytes(tokens[span.start : span.end].tolist()).decode())
            assert set(logprobs[span.start : span.end].tolist()) == {-0.5}
    assert sorted(sampled) == sorted(answers)

    again = [*entries, *entries]
    Random(seed).shuffle(again)
    assert rows(again) == found
    from_steps = rows(again, rows_from="steps")
    assert [row.tokens for row in from_steps if isinstance(row, Row)] == [
        row.tokens for row in found if isinstance(row, Row)
    ]


def test_what_is_left_out_is_named() -> None:
    entries = entries_of([[("a", "b"), ("c", "d")], [("a", "bb")]])
    assert rows(entries, forgotten=["default/t0"])[0] == "forgotten"
    assert rows(entries, forgotten=["default"]) == ["forgotten", "forgotten"]
    assert rows([entry for entry in entries if entry.topic != "steps"]) == ["steps missing"] * 2
    review = feedback("curated", trajectory_id="t1", detail={"trainable": False})
    reviewed = [*entries, Entry("feedback", 0, 99, encode(review))]
    assert rows(reviewed)[1] == "curated"
    assert rows(reviewed, rows_from="steps")[1] == "curated"
    one = feedback("curated", trajectory_id="t0", step_id="t0-0", detail={"trainable": False})
    (row, _) = rows([*entries, Entry("feedback", 0, 99, encode(one))])
    assert isinstance(row, Row)
    assert [span.step_id for span in row.responses] == ["t0-1"]


def test_the_reward_of_a_source_counts_where_it_is_asked_for() -> None:
    entries = entries_of([[("a", "b")], [("a", "bb")]])
    assert [row.reward for row in rows(entries, reward_source="agent") if isinstance(row, Row)] == [0.0, 1.0]
    assert [row.reward for row in rows(entries, reward_source="judge") if isinstance(row, Row)] == [None, None]
    unscored = [entry for entry in entries if entry.topic in ("steps", "feedback")]
    assert [row.reward for row in rows(unscored, rows_from="steps") if isinstance(row, Row)] == [None, None]
