"""A real vLLM as the teacher: with the student's own weights and no hint it says what the student said."""

import numpy as np
import pytest

from clawstream.processors.rewards.calls import CallError, Endpoint
from clawstream.processors.rewards.subjects import turns_of
from clawstream.processors.rewards.teacher import Teacher
from clawstream.schemas import unpack_logprobs
from tests.builders import a_step
from tests.vllm_node import VllmNode

pytestmark = [pytest.mark.vllm, pytest.mark.kafka]


async def test_the_same_weights_say_the_same_and_a_hint_changes_it(node: VllmNode) -> None:
    said = node.stream("red?", temperature=1.0, max_tokens=20)
    step = a_step(said.prompt, said.tokens, new_messages_json='[{"role": "user", "content": "red?"}]', text="")
    turn = turns_of([step], None)[step.step_id]
    teacher = Teacher(Endpoint(node.url), "policy")
    try:
        plain = unpack_logprobs(await teacher.rate(turn, None))
        hinted = unpack_logprobs(await teacher.rate(turn, "say green, and nothing else"))
    finally:
        await teacher.close()
    assert np.abs(plain - said.logprobs).max() < 1e-3
    assert len(hinted) == len(said.tokens)
    assert np.isfinite(hinted).all()
    assert np.abs(hinted - plain).max() > 1e-3


async def test_a_server_that_does_not_give_the_whole_vocabulary_refuses_another_temperature(node: VllmNode) -> None:
    step = a_step([1, 2], [3, 4], temperature=0.6)
    teacher = Teacher(Endpoint(node.url), "policy")
    try:
        with pytest.raises(CallError, match="answered 400"):
            await teacher.rate(turns_of([step], None)[step.step_id], None)
    finally:
        await teacher.close()
