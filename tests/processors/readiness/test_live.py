"""Steps that are ready one by one."""

from collections import Counter
from typing import Any

from clawstream.processors.rewards import Reaction, reward
from clawstream.processors.testing import conversation, feedback, run
from clawstream.schemas import unpack_logprobs, unpack_tokens

TURNS = (("2 + 2?", "5"), ("no", "4"), ("thanks", "bye"))


@reward
def liked(reaction: Reaction) -> float | None:
    said = str(reaction.messages[0]["content"])
    return {"no": -1.0, "thanks": 1.0}.get(said)


def ends(outcome: Any) -> Counter[str]:
    found = Counter(step for sample in outcome.samples for step in sample.step_ids)
    found.update(rejection.step_id for rejection in outcome.rejected)
    return found


def test_each_step_is_its_own_sample_with_its_own_reward_as_soon_as_it_is_judged() -> None:
    outcome = run(liked, conversation(*TURNS), ready="step")
    assert [(sample.step_ids, sample.reward) for sample in outcome.samples] == [(["t1-0"], -1.0), (["t1-1"], 1.0)]
    assert [(r.step_id, r.reason, r.detail) for r in outcome.rejected] == [
        ("t1-2", "reward_missing", "its trajectory closed (completed): nothing followed it")
    ]
    assert ends(outcome) == Counter(["t1-0", "t1-1", "t1-2"])


def test_only_the_steps_own_tokens_are_to_be_trained_in_its_sample() -> None:
    second = run(liked, conversation(*TURNS), ready="step").samples[1]
    (sequence,) = second.sequences
    (span,) = sequence.responses
    logprobs = unpack_logprobs(sequence.logprobs)
    assert (span.step_id, bytes(unpack_tokens(sequence.tokens)[span.start : span.end].tolist())) == ("t1-1", b"4")
    assert logprobs[: span.start].tolist() == [0.0] * span.start
    assert [(version.start, version.end) for version in sequence.policy_spans] == [(span.start, span.end)]
    assert (second.group.size, second.group.reward_mean) == (1, 1.0)


def test_a_trajectory_that_goes_on_does_not_hold_up_its_judged_steps() -> None:
    events = [*conversation(*TURNS, completed=False), *conversation(*TURNS, trajectory="t2")]
    outcome = run(liked, events, ready="step", idle_seconds=7000, max_age_seconds=7000)
    assert [sample.trajectory_id for sample in outcome.samples] == ["t1", "t2", "t1", "t2"]


def test_unscored_is_not_neutral_and_neutral_may_be_left_out() -> None:
    turns = (("hi", "ho"), ("well", "hm"))
    outcome = run(liked, conversation(*turns), ready="step")
    assert {r.step_id: r.detail for r in outcome.rejected} == {
        "t1-0": "its trajectory closed (completed): it had nothing to say",
        "t1-1": "its trajectory closed (completed): nothing followed it",
    }

    @reward
    def neutral(reaction: Reaction) -> float:
        return 0.0

    assert [sample.reward for sample in run(neutral, conversation(*turns), ready="step").samples] == [0.0]
    outcome = run(neutral, conversation(*turns), ready="step", drop_neutral=True)
    assert {r.step_id: r.reason for r in outcome.rejected} == {"t1-0": "filtered", "t1-1": "reward_missing"}


def test_an_agents_reward_of_a_step_makes_it_ready_without_a_judge() -> None:
    said = feedback("rewarded", step_id="t1-0", reward=0.5)
    outcome = run([], [*conversation(*TURNS), said], ready="step")
    assert [(sample.step_ids, sample.reward) for sample in outcome.samples] == [(["t1-0"], 0.5)]
    assert ends(outcome) == Counter(["t1-0", "t1-1", "t1-2"])


def test_aborted_and_reviewed_steps_are_rejected_with_that_reason() -> None:
    at = conversation(*TURNS)[-1].at  # type: ignore[union-attr]
    out = feedback("curated", step_id="t1-0", detail={"trainable": False})
    events = [out, *conversation(*TURNS, completed=False), feedback("aborted", at=at)]
    outcome = run(liked, events, ready="step")
    assert {r.step_id: r.reason for r in outcome.rejected} == {"t1-0": "curated", "t1-2": "aborted"}
    assert ends(outcome) == Counter(["t1-0", "t1-1", "t1-2"])
