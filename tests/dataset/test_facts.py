from datetime import timedelta
from random import Random

from clawstream.dataset.facts import Entry, Facts, facts_of
from clawstream.schemas import Record, encode
from tests.builders import NOON, a_feedback, a_reward, a_sample, a_step

TOPICS = {"Step": "steps", "Feedback": "feedback", "Reward": "rewards", "Sample": "samples"}


def facts(*records: Record) -> list[Facts]:
    entries = [Entry(TOPICS[type(record).__name__], 0, offset, encode(record)) for offset, record in enumerate(records)]
    Random(1).shuffle(entries)
    found, unreadable = facts_of(entries)
    assert unreadable == 0
    return found


def test_what_was_said_of_a_trajectory_is_put_together() -> None:
    reward = a_reward(1.0)
    (found,) = facts(
        a_feedback("opened", detail_json='{"answer": 4}', channel="val"),
        a_step(step_id="s1"),
        a_step(step_id="s2"),
        a_step(step_id="s1", text="submitted again"),
        a_feedback("aborted"),
        a_feedback("completed"),
        reward,
        a_sample(sample_id="x", rewards=[reward, a_reward(0.5, reward_id="only in the sample")]),
        a_sample(sample_id="x", reward=9.0),
    )
    assert [(step.step_id, step.text) for step in found.steps.values()] == [("s1", "hello"), ("s2", "hello")]
    assert found.places["s2"].offset == 2
    assert (found.metadata_json, found.channel, found.ended_by) == ('{"answer": 4}', "val", "aborted")
    assert [sample.reward for sample in found.samples.values()] == [1.0]
    assert {reward.reward_id, "only in the sample"} < found.rewards.keys()


def test_tenants_are_kept_apart() -> None:
    assert [found.tenant for found in facts(a_step(tenant="b"), a_step(tenant="a"))] == ["a", "b"]


def test_reviews_add_up_and_the_newest_word_counts() -> None:
    (found,) = facts(
        a_step(step_id="s1"),
        a_feedback("curated", detail_json='{"trainable": false, "tags": ["x"], "quality": "incorrect"}'),
        a_feedback("curated", at=NOON + timedelta(1), detail_json='{"trainable": true, "tags": ["y", "x"]}'),
        a_feedback("curated", detail_json="no JSON"),
    )
    assert (found.tags, found.quality, found.excluded(), found.forgotten) == (["x", "y"], "incorrect", {}, False)
    (asked,) = facts(a_feedback("curated", detail_json='{"tags": ["forget"]}'))
    assert asked.forgotten


def test_what_cannot_be_read_is_counted() -> None:
    assert facts_of([Entry("steps", 0, 0, b"no record")]) == ([], 1)
