from typing import Any

import pytest

from clawstream.processors.rewards import Episode, Reaction, RewardError, Turn, reward
from clawstream.processors.rewards.decorated import scorer_of
from clawstream.processors.testing import conversation, run

TWO_TURNS = (("2 + 2?", "4"), ("sure?", "yes"))


def test_the_type_of_its_parameter_says_what_a_function_looks_at() -> None:
    @reward
    def a(turn: Turn) -> float:
        return 1.0

    @reward(name="other", concurrency=3)
    def b(reaction: "Reaction") -> float:
        return 1.0

    @reward
    async def c(episode: Episode) -> None: ...

    found = [scorer_of(function) for function in (a, b, c)]
    assert [(s.name, s.over) for s in found if s] == [("a", "step"), ("other", "next_state"), ("c", "trajectory")]
    assert found[1] is not None
    assert found[1].concurrency == 3


@pytest.mark.parametrize(
    "function",
    [lambda turn: 1.0, lambda: 1.0, lambda turn, other: 1.0],
)
def test_a_function_that_looks_at_nothing_known_is_refused(function: Any) -> None:
    with pytest.raises(RewardError, match="one parameter whose type is Turn, Reaction or Episode"):
        reward(function)


def test_a_turn_has_its_whole_conversation_and_a_reaction_all_that_followed() -> None:
    seen: list[Any] = []

    @reward
    def turns(turn: Turn) -> float:
        seen.append(([message["content"] for message in turn.messages], turn.text))
        return 0.0

    @reward
    def reactions(reaction: Reaction) -> float:
        seen.append((reaction.turn.text, reaction.messages))
        return 0.0

    run([turns, reactions], conversation(*TWO_TURNS, reward=1.0))
    assert (["2 + 2?"], "4") in seen
    assert (["2 + 2?", "4", "sure?"], "yes") in seen
    assert ("4", [{"role": "user", "content": "sure?"}]) in seen
    assert len(seen) == 3


def test_an_episode_has_its_turns_metadata_and_earlier_rewards() -> None:
    seen: list[Any] = []

    @reward
    async def whole(episode: Episode) -> float:
        rewards = [given.value for given in episode.rewards]
        seen.append((len(episode.turns), episode.text, episode.metadata, episode.ended_by, rewards))
        return 1.0

    outcome = run(whole, conversation(*TWO_TURNS, reward=0.5, metadata={"answer": 4}))
    assert seen == [(2, "yes", {"answer": 4}, "completed", [0.5])]
    assert outcome.samples[0].reward == 1.5


def test_a_function_may_give_a_reward_with_votes_and_a_hint() -> None:
    @reward
    def hinting(turn: Turn) -> Any:
        return turn.reward(-1.0, hint="say it in French")

    (first, _) = run(hinting, conversation(*TWO_TURNS)).rewards
    assert (first.value, first.hint, first.kind, first.step_id, first.source) == (
        -1.0,
        "say it in French",
        "process",
        "t1-0",
        "hinting",
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("good", "it returned 'good', which is no number, reward or None"),
        (float("nan"), "the value nan is not finite"),
        (None, None),
    ],
)
def test_what_is_no_number_is_null_and_says_why(given: Any, why: str | None) -> None:
    @reward
    def odd(episode: Episode) -> Any:
        return given

    outcome = run(odd, conversation(("hi", "ho")))
    assert outcome.values("odd") == [None]
    assert outcome.rewards[0].unscored is not None
    assert (why or "nothing to say") in outcome.rewards[0].unscored
    assert len(outcome.failures) == (0 if why is None else 1)
    assert [rejection.reason for rejection in outcome.rejected] == ["reward_missing"]


def test_an_error_costs_its_item_and_nothing_else() -> None:
    @reward
    def picky(episode: Episode) -> float:
        if episode.trajectory_id == "bad":
            raise KeyError("answer")
        return 1.0

    events = [*conversation(("hi", "ho"), trajectory="bad"), *conversation(("hi", "ho"), trajectory="good")]
    outcome = run(picky, events)
    assert [sample.trajectory_id for sample in outcome.samples] == ["good"]
    (rejection,) = outcome.rejected
    assert rejection.detail.endswith("without a reward: picky failed: KeyError: 'answer'")
    assert outcome.failures == ["picky failed: KeyError: 'answer'"]
