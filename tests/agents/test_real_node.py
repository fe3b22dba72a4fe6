"""A white-box agent on a real vLLM: what it is told is what was sampled, and what will train."""

import pytest

from clawstream.agents.aio import AsyncGateway
from clawstream.schemas import unpack_logprobs, unpack_tokens
from clawstream.streams.reading.consumer import read_all
from clawstream.topics import STEPS
from tests.gateway.harness import gateway, until
from tests.vllm_node import VllmNode

pytestmark = [pytest.mark.vllm, pytest.mark.kafka]

SAMPLING = {"temperature": 0.9, "top_p": 0.95, "top_k": 50, "max_tokens": 200}


async def test_the_agent_sees_the_exact_tokens_of_its_steps(node: VllmNode) -> None:
    async with gateway(node.kafka) as server, AsyncGateway(server.url) as client:
        await until(lambda: server.gateway.nodes.live())
        async with client.trajectory(trajectory="agents-exact", sampling=SAMPLING) as trajectory:
            messages = [{"role": "user", "content": "What is 3 + 4?"}]
            first = await trajectory.chat(messages, tokens=True)
            second = await trajectory.chat(
                [*messages, first.message, {"role": "user", "content": "Sure?"}], tokens=True
            )
            third = await trajectory.generate(
                [*(second.prompt_ids or ()), *(second.token_ids or ()), 10], temperature=1.0
            )
    steps = [step for step in read_all(node.kafka, STEPS) if step.trajectory_id == "agents-exact"]
    assert [step.step_id for step in steps] == [first.step_id, second.step_id, third.step_id]
    assert [step.untrainable_reason for step in steps] == [None] * 3
    assert [step.temperature for step in steps] == [0.9, 0.9, 1.0]
    for step, ids, logprobs in zip(
        steps,
        (first.token_ids, second.token_ids, third.token_ids),
        (first.logprobs, second.logprobs, third.logprobs),
        strict=True,
    ):
        assert unpack_tokens(step.response_tokens).tolist() == ids
        assert unpack_logprobs(step.response_logprobs).tolist() == pytest.approx(logprobs)
    whole = [*(first.prompt_ids or ()), *(first.token_ids or ())]
    assert (second.prompt_ids or [])[: len(whole)] == whole
    assert [step.prompt_prefix and step.prompt_prefix.step_id for step in steps] == [
        None,
        first.step_id,
        second.step_id,
    ]
