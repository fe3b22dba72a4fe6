from typing import Any

import pytest

from clawstream.processors.readiness.jobs import Job
from clawstream.processors.rewards import retrying
from clawstream.processors.rewards.building import build
from clawstream.processors.rewards.settings import HintsSettings, JudgeSettings, NextStateJudgeSettings
from clawstream.processors.rewards.subjects import Reaction, Turn, turns_of
from clawstream.processors.testing import conversation
from clawstream.processors.worker.scoring import Scored, scored
from clawstream.schemas import NextState, Step
from tests.builders import NOON
from tests.processors.rewards.service import chat, serving


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST_PAUSE_SECONDS", 0.001)


def a_turn(asked: str = "2 + 2?", answer: str = "5", **fields: Any) -> Turn:
    steps = [event for event in conversation((asked, answer), **fields) if isinstance(event, Step)]
    return turns_of(steps, '{"answer": "4"}')["t1-0"]


def a_reaction(said: str = "no, 4", **fields: Any) -> Reaction:
    turn = a_turn(**fields)
    next_state = NextState(
        next_state_id="n1",
        trajectory_id="t1",
        step_id="t1-0",
        tenant="default",
        messages_json=f'[{{"role": "tool", "content": "{said}"}}, {{"role": "user", "content": "again"}}]',
        at=NOON,
    )
    return Reaction(trajectory_id="t1", group_id="t1", tenant="default", metadata={}, turn=turn, next_state=next_state)


async def judged(settings: Any, subject: Any) -> Scored:
    scorer = build(settings)
    try:
        return await scored(b"k", Job("r", scorer, "t1-0"), subject)
    finally:
        await scorer.close()


async def test_votes_are_asked_for_at_once_combined_and_kept_raw() -> None:
    async with serving(chat(r"\boxed{1}", r"\boxed{-1}", r"bad \boxed{-1}")) as service:
        result = await judged(NextStateJudgeSettings(kind="next_state_judge", url=service.url, votes=3), a_reaction())
    assert (result.reward.value, result.failure) == (-1.0, None)
    assert sorted(vote.raw for vote in result.reward.votes) == [r"\boxed{-1}", r"\boxed{1}", r"bad \boxed{-1}"]
    assert (result.reward.source, result.reward.kind, result.reward.step_id) == ("next_state_judge", "process", "t1-0")


async def test_the_judge_sees_the_request_the_answer_and_all_that_followed() -> None:
    async with serving(chat(r"\boxed{1}")) as service:
        await judged(NextStateJudgeSettings(kind="next_state_judge", url=service.url, votes=1), a_reaction())
    (path, body) = service.asked[0]
    prompt = body["messages"][0]["content"]
    assert path == "/chat/completions"
    assert "<request>\n[user]\n2 + 2?\n</request>" in prompt
    assert "<response>\n5\n</response>" in prompt
    assert "<next_state>\n[tool]\nno, 4\n\n[user]\nagain\n</next_state>" in prompt
    assert "(from: tool, user)" in prompt
    assert body["temperature"] == 0.6


async def test_below_the_quorum_a_judge_is_unscored_and_says_so() -> None:
    async with serving(chat(r"\boxed{1}", "hm", "hm")) as service:
        settings = NextStateJudgeSettings(kind="next_state_judge", url=service.url, votes=3, quorum=2)
        result = await judged(settings, a_reaction())
    assert (result.reward.value, result.failure) == (None, None)
    assert result.reward.unscored == "1 of 3 votes could be read, 2 needed"


async def test_what_may_pass_is_tried_again_and_a_server_that_stays_silent_is_a_failure() -> None:
    answers: list[Any] = [503, 429, {"choices": [{"message": {"content": r"\boxed{1}"}}]}]
    async with serving(lambda *_: answers.pop(0)) as service:
        settings = NextStateJudgeSettings(kind="next_state_judge", url=service.url, votes=1)
        assert (await judged(settings, a_reaction())).reward.value == 1.0
    async with serving(lambda *_: "hang") as service:
        settings = NextStateJudgeSettings(
            kind="next_state_judge", url=service.url, votes=2, tries=2, timeout_seconds=0.05
        )
        result = await judged(settings, a_reaction())
        assert len(service.asked) == 4
    assert result.reward.value is None
    assert result.failure is not None
    assert result.failure.endswith("0 of 2 votes could be read, 1 needed; no answer within 0.05 s, 2 times")
    assert len(result.reward.votes) == 2


async def test_a_refusal_is_not_tried_again() -> None:
    async with serving(lambda *_: 400) as service:
        settings = NextStateJudgeSettings(kind="next_state_judge", url=service.url, votes=1)
        result = await judged(settings, a_reaction())
        assert len(service.asked) == 1
    assert result.failure is not None
    assert "answered 400" in result.failure


async def test_no_more_calls_are_under_way_than_configured() -> None:
    async with serving(chat(r"\boxed{1}"), seconds=0.02) as service:
        settings = NextStateJudgeSettings(kind="next_state_judge", url=service.url, votes=7, max_in_flight=3)
        assert (await judged(settings, a_reaction())).reward.value == 1.0
    assert service.most == 3


async def test_a_judge_gives_the_mean_of_its_grades_and_knows_what_is_expected() -> None:
    async with serving(chat(r"\boxed{0.5}", r"\boxed{1}")) as service:
        settings = JudgeSettings(kind="judge", url=service.url, votes=2, over="step", name="grader")
        result = await judged(settings, a_turn())
    assert (result.reward.value, result.reward.source) == (0.75, "grader")
    assert "<expected>\n4\n</expected>" in service.asked[0][1]["messages"][0]["content"]


async def test_a_hint_is_extracted_by_votes_selected_and_is_no_score() -> None:
    short, longer = "use four here", "the sum of two and two is four"
    texts = [rf"\boxed{{1}} [HINT_START]{hint}[HINT_END]" for hint in (short, longer)]
    async with serving(chat(*texts, r"\boxed{-1}")) as service:
        for select, expected in (("longest", longer), ("shortest", short)):
            async with serving(chat(*texts, r"\boxed{-1}")) as service:
                settings = HintsSettings(kind="hints", url=service.url, votes=3, select=select)  # type: ignore[arg-type]
                reward = (await judged(settings, a_reaction())).reward
            assert (reward.value, reward.hint, len(reward.votes)) == (None, expected, 3)
            assert reward.unscored == "a hint is no score"


@pytest.mark.parametrize(
    "texts",
    [
        [r"\boxed{1} [HINT_START]too short[HINT_END]"],
        [r"\boxed{-1} [HINT_START]long enough to be a hint[HINT_END]"],
        [r"\boxed{1} no hint at all"],
    ],
)
async def test_what_is_no_hint_is_not_accepted(texts: list[str]) -> None:
    async with serving(chat(*texts)) as service:
        reward = (await judged(HintsSettings(kind="hints", url=service.url, votes=2), a_reaction())).reward
    assert reward.hint is None
    assert reward.unscored == "0 of 2 votes had a hint, 1 needed"
