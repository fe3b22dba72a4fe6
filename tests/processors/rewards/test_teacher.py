import math
from typing import Any

import pytest

from clawstream.processors.rewards.calls import CallError, Endpoint
from clawstream.processors.rewards.settings import HintsSettings
from clawstream.processors.rewards.teacher import Teacher, read_logprobs
from clawstream.schemas import unpack_logprobs, unpack_tokens
from tests.processors.rewards.service import serving
from tests.processors.rewards.test_judges import a_reaction, a_turn, judged


def entry(token: int, logprob: float, **others: float) -> dict[str, Any]:
    return {str(token): {"logprob": logprob}} | {name: {"logprob": value} for name, value in others.items()}


def test_every_token_has_a_log_probability_the_first_too() -> None:
    assert read_logprobs([entry(7, -0.5), entry(8, -1.0)], [7, 8], 1.0) == [-0.5, -1.0]


def test_another_temperature_is_applied_over_the_whole_vocabulary() -> None:
    probabilities = {"1": 0.5, "2": 0.3, "3": 0.2}
    found = {token: {"logprob": math.log(p)} for token, p in probabilities.items()}
    expected = math.log(0.3**2 / (0.5**2 + 0.3**2 + 0.2**2))  # T = 0.5: powers of 2
    assert read_logprobs([found], [2], 0.5) == [pytest.approx(expected)]


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([entry(7, -0.5)], "1 log-probabilities for 2 tokens"),
        ([None, entry(8, -1.0)], "no log-probability of token 7 at position 0"),
        ([entry(9, -1.0), entry(8, -1.0)], "no log-probability of token 7 at position 0"),
    ],
)
def test_what_is_missing_is_an_error_and_never_zero(entries: list[Any], sentence: str) -> None:
    with pytest.raises(CallError, match=sentence):
        read_logprobs(entries, [7, 8], 1.0)


def teaching(text: str, logprob: float = -0.25) -> Any:
    """A judge that always has a hint, and a teacher whose tokens are bytes."""

    def answer(path: str, body: dict[str, Any]) -> Any:
        if path == "/chat/completions":
            said = r"\boxed{1} [HINT_START]two and two is four[HINT_END]"
            return {"choices": [{"message": {"content": said}}]}
        if path == "/tokenize":
            return {"tokens": [10, *body["messages"][-1]["content"].encode()]}
        if path == "/detokenize":
            return {"prompt": text}
        entries = [None, *(entry(token, logprob) for token in body["prompt"][1:])]
        return {"choices": [{"prompt_logprobs": entries}]}

    return answer


async def test_the_sampled_tokens_are_rated_under_the_hinted_prompt() -> None:
    reaction = a_reaction()
    async with serving(teaching("5<end>")) as service:
        settings = HintsSettings(kind="hints", url=service.url, teacher_url=service.url, votes=1)
        reward = (await judged(settings, reaction)).reward
    assert reward.hint == "two and two is four"
    assert reward.teacher_logprobs is not None
    assert unpack_logprobs(reward.teacher_logprobs).tolist() == [-0.25]
    prompt = dict(service.asked)["/v1/completions"]["prompt"]
    hinted = "2 + 2?\n\n[user's hint / instruction]\ntwo and two is four"
    assert prompt == [10, *hinted.encode(), *unpack_tokens(reaction.turn.step.response_tokens).tolist()]


async def test_a_teacher_with_another_tokenizer_is_refused() -> None:
    async with serving(teaching("something else")) as service:
        settings = HintsSettings(kind="hints", url=service.url, teacher_url=service.url, votes=1)
        result = await judged(settings, a_reaction())
    assert result.failure is not None
    assert "the teacher has another tokenizer" in result.failure


async def test_without_a_hint_the_exact_prompt_is_rated() -> None:
    turn = a_turn()
    async with serving(teaching("5")) as service:
        teacher = Teacher(Endpoint(service.url), "m")
        await teacher.rate(turn, None)
        await teacher.close()
    assert service.asked[0][1]["prompt"] == unpack_tokens(turn.prompt_tokens + turn.step.response_tokens).tolist()
