from typing import Any

import pytest

from clawstream.processors.rewards.settings import ServiceSettings
from tests.processors.rewards.service import serving
from tests.processors.rewards.test_judges import a_reaction, a_turn, judged


@pytest.mark.parametrize(
    ("style", "answer", "path", "expected"),
    [
        ("json", {"score": 0.5}, "/", 0.5),
        ("json", {"reward_score": -1}, "/", -1.0),
        ("pooling", {"data": [{"data": [[0.1], [0.7]]}]}, "/pooling", 0.7),
        ("classify", {"data": [{"probs": [0.2, 0.8]}]}, "/classify", 0.8),
        ("score", {"data": [{"score": 0.9}]}, "/score", 0.9),
    ],
)
async def test_a_reward_model_is_asked_in_its_own_words(style: Any, answer: Any, path: str, expected: float) -> None:
    async with serving(lambda *_: answer) as service:
        settings = ServiceSettings(kind="service", url=service.url, style=style, over="step", model="rm", name="rm")
        result = await judged(settings, a_turn())
    assert (result.reward.value, service.asked[0][0], service.asked[0][1]["model"]) == (expected, path, "rm")


async def test_any_service_gets_the_whole_conversation() -> None:
    async with serving(lambda *_: {"score": 1}) as service:
        await judged(ServiceSettings(kind="service", url=service.url, over="next_state"), a_reaction())
    assert service.asked[0][1] == {
        "model": "",
        "messages": [{"role": "user", "content": "2 + 2?"}],
        "response": "5",
        "trajectory_id": "t1",
        "step_id": "t1-0",
        "metadata": {},
        "next_state": [{"role": "tool", "content": "no, 4"}, {"role": "user", "content": "again"}],
    }


@pytest.mark.parametrize("answer", [{}, {"score": None}, {"score": "high"}, [], {"score": "nan"}])
async def test_what_is_no_score_is_a_failure_that_says_what_was_answered(answer: Any) -> None:
    async with serving(lambda *_: answer) as service:
        result = await judged(ServiceSettings(kind="service", url=service.url, over="step"), a_turn())
    assert result.reward.value is None
    assert result.failure is not None
    assert "the service answered no score" in result.failure
