"""What was said of single steps."""

from datetime import timedelta

from clawstream.trainer.algorithms.rewards import evaluated_steps, hints, recorded_teacher, step_rewards
from tests.builders import NOON, a_reward, a_sample


def test_newest_of_each_source_averaged_over_sources() -> None:
    said = [
        a_reward(1.0, step_id="s1", kind="process", source="judge", at=NOON + timedelta(seconds=1)),
        a_reward(-1.0, step_id="s1", kind="process", source="judge"),
        a_reward(0.0, step_id="s1", kind="process", source="rule"),
        a_reward(None, step_id="s2", kind="process"),
        a_reward(5.0),
    ]
    assert step_rewards(a_sample(rewards=said)) == {"s1": 0.5}


def test_without_a_word_on_any_step_the_outcome_is_every_steps() -> None:
    assert evaluated_steps(a_sample(0.7, step_ids=["s1", "s2"])) == {"s1": 0.7, "s2": 0.7}
    one = a_sample(0.7, step_ids=["s1", "s2"], rewards=[a_reward(-1.0, step_id="s2", kind="process")])
    assert evaluated_steps(one) == {"s2": -1.0}


def test_the_longest_hint_counts_and_an_empty_one_is_none() -> None:
    said = [a_reward(None, step_id=step, kind="process", hint=hint) for step, hint in
            (("s1", "be brief"), ("s1", "be brief and kind"), ("s2", ""), ("s3", None))]  # fmt: skip
    assert hints(a_sample(rewards=said)) == {"s1": "be brief and kind"}


def test_a_recorded_teacher_is_that_of_the_longest_hint_which_was_rated() -> None:
    said = [
        a_reward(None, step_id="s1", kind="process", hint=hint, teacher_logprobs=logprobs)
        for hint, logprobs in (
            ("be brief", b"short"),
            ("be brief and kind", b"long"),
            ("be brief, kind, and quick", None),
        )
    ]
    assert recorded_teacher(a_sample(rewards=said)) == {"s1": b"long"}
