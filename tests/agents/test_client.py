"""Both clients against a real gateway: what they say is in the log, once."""

import asyncio
import json

import pytest
from openai import AsyncOpenAI

from clawstream.agents.aio import AsyncGateway
from clawstream.agents.answers import SampledStep
from clawstream.agents.client import Gateway
from clawstream.agents.errors import AgentError, EndedError, RefusedError, UnavailableError
from clawstream.agents.retrying import Patience
from clawstream.schemas import unpack_tokens
from clawstream.streams.process.ports import free_port
from clawstream.streams.settings import KafkaSettings
from tests.agents.summing import PROMPT, RESPONSE, adding_node
from tests.gateway.fake_node import CUT, DONE, FakeNode
from tests.gateway.harness import gateway
from tests.gateway.samples import answer_data

MESSAGES = [{"role": "user", "content": "What is 3 + 4?"}]
LOGPROBS = [-0.5, -0.5]
SUBMITTED = SampledStep(prompt_ids=[7], response_ids=[8, 9], logprobs=LOGPROBS, policy_version=3, reward=0.25)

pytestmark = pytest.mark.kafka


def with_the_sync_client(url: str) -> None:
    names = {"group": "g 1", "group_size": 1, "channel": "val", "sampling": {"temperature": 0.5}, "agent": "sync"}
    with Gateway(url) as server, server.trajectory(trajectory="t/1", metadata={"k": "v"}, **names) as trajectory:
        assert server.models() == ["policy"]
        answer = trajectory.chat(MESSAGES, tokens=True)
        assert (answer.text, answer.finish_reason, answer.prompt_ids) == ("7", "stop", PROMPT)
        assert (answer.token_ids, answer.logprobs) == (RESPONSE, LOGPROBS)
        more = trajectory.generate([*PROMPT, *RESPONSE], temperature=0.25)
        assert (more.token_ids, more.logprobs, more.stop_reason) == (RESPONSE, LOGPROBS, "stop")
        trajectory.reward(0.5, step_id=more.step_id, source="style", detail={"why": "short"})
        assert (trajectory.submit_steps([SUBMITTED]), trajectory.submit_steps([SUBMITTED])) == (1, 1)
        trajectory.complete(reward=1.0)


async def with_the_async_client(url: str) -> None:
    names = {"group": "g 1", "group_size": 1, "channel": "val", "sampling": {"temperature": 0.5}, "agent": "sync"}
    async with AsyncGateway(f"{url}/v1/") as server:
        assert await server.models() == ["policy"]
        async with server.trajectory(trajectory="t/1", metadata={"k": "v"}, **names) as trajectory:
            answer = await trajectory.chat(MESSAGES, tokens=True)
            assert (answer.text, answer.finish_reason, answer.prompt_ids) == ("7", "stop", PROMPT)
            assert (answer.token_ids, answer.logprobs) == (RESPONSE, LOGPROBS)
            more = await trajectory.generate([*PROMPT, *RESPONSE], temperature=0.25)
            assert (more.token_ids, more.logprobs, more.stop_reason) == (RESPONSE, LOGPROBS, "stop")
            await trajectory.reward(0.5, step_id=more.step_id, source="style", detail={"why": "short"})
            assert await trajectory.submit_steps([SUBMITTED]) == 1
            assert await trajectory.submit_steps([SUBMITTED]) == 1
            await trajectory.complete(reward=1.0)


@pytest.mark.parametrize("is_async", [False, True])
async def test_all_that_a_trajectory_can_say_is_in_the_log(kafka: KafkaSettings, is_async: bool) -> None:
    node = adding_node()
    async with gateway(kafka, node) as server:
        await (with_the_async_client(server.url) if is_async else asyncio.to_thread(with_the_sync_client, server.url))
        steps, said = await server.steps(4), await server.feedback(5)
    assert {(step.trajectory_id, step.group_id, step.channel) for step in steps} == {("t/1", "g 1", "val")}
    assert [unpack_tokens(step.response_tokens).tolist() for step in steps] == [RESPONSE, RESPONSE, [8, 9], [8, 9]]
    assert len({step.step_id for step in steps}) == 4
    assert [step.temperature for step in steps] == [0.5, 0.25, 1.0, 1.0]
    assert [step.agent for step in steps[:2]] == ["sync"] * 2
    assert [body["temperature"] for body in node.bodies] == [0.5, 0.25]
    kinds = [each.kind for each in said]
    assert (kinds[0], sorted(kinds[1:4]), kinds[4]) == ("opened", ["rewarded"] * 3, "completed")
    assert (said[0].channel, said[0].group_size) == ("val", 1)
    assert json.loads(said[0].detail_json or "") == {"k": "v", "group_size": 1}
    assert (said[1].step_id, said[1].reward, said[1].source) == (steps[1].step_id, 0.5, "style")
    assert (said[4].reward, said[4].trajectory_id, said[4].group_id) == (1.0, "t/1", "g 1")


async def test_leaving_the_block_completes_and_an_exception_aborts(kafka: KafkaSettings) -> None:
    def sync(url: str) -> None:
        with Gateway(url) as server:
            with server.trajectory(trajectory="sync-left"):
                pass
            with pytest.raises(ZeroDivisionError), server.trajectory(trajectory="sync-raised"):
                raise ZeroDivisionError("by zero")
            with server.trajectory(trajectory="sync-ended") as trajectory:
                trajectory.abort("as it should")
                with pytest.raises(EndedError, match="trajectory sync-ended was aborted"):
                    trajectory.chat(MESSAGES)

    async with gateway(kafka) as server, AsyncGateway(server.url) as client:
        await asyncio.to_thread(sync, server.url)
        async with client.trajectory(trajectory="async-left"):
            pass
        with pytest.raises(ZeroDivisionError):
            async with client.trajectory(trajectory="async-raised"):
                raise ZeroDivisionError("by zero")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5), client.trajectory(trajectory="async-cancelled"):
                await asyncio.sleep(60)
        said = [each for each in await server.feedback(12) if each.kind != "opened"]
    ended = {each.trajectory_id: (each.kind, each.reward, each.detail_json) for each in said}
    zero = '{"reason":"ZeroDivisionError: by zero"}'
    assert ended == {
        "sync-left": ("completed", None, None),
        "sync-raised": ("aborted", None, zero),
        "sync-ended": ("aborted", None, '{"reason":"as it should"}'),
        "async-left": ("completed", None, None),
        "async-raised": ("aborted", None, zero),
        "async-cancelled": ("aborted", None, '{"reason":"interrupted"}'),
    }


async def test_who_stops_waiting_for_an_opening_says_so(kafka: KafkaSettings) -> None:
    async with (
        gateway(kafka, trajectories_per_version=1, max_policy_lag=0) as server,
        AsyncGateway(server.url) as client,
    ):
        await client.trajectory(trajectory="first").open()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await client.trajectory(trajectory="second").open()
        said = await server.feedback(2)
    assert {(each.trajectory_id, each.kind) for each in said} == {("first", "opened"), ("second", "aborted")}


async def test_what_is_refused_is_said_with_status_and_code(kafka: KafkaSettings) -> None:
    async with gateway(kafka, adding_node(), api_key="secret") as server:
        async with AsyncGateway(server.url) as nobody:
            with pytest.raises(RefusedError, match="answered models with 401: missing bearer token") as caught:
                await nobody.models()
        async with AsyncGateway(server.url, api_key="secret") as client:
            assert await client.models() == ["policy"]
            trajectory = client.trajectory()
            with pytest.raises(RefusedError, match=r"answered chat/completions with 400: .*temperature"):
                await trajectory.chat(MESSAGES, temperature=-1)
    assert (caught.value.status, caught.value.code) == (401, "invalid_api_key")


async def test_a_call_whose_node_breaks_off_is_tried_again_and_trains_once(kafka: KafkaSettings) -> None:
    node = FakeNode()
    whole = answer_data([1], [2], text="7")
    node.script = lambda _: [*whole[:2], CUT] if len(node.bodies) < 3 else [*whole, DONE]
    async with gateway(kafka, node) as server, AsyncGateway(server.url) as client:
        answer = await client.trajectory().chat(MESSAGES)
        steps = await server.steps(3)
    assert answer.step_id == steps[2].step_id
    assert [step.trainable for step in steps] == [False, False, True]
    assert [step.attempt for step in steps] == [1, 2, 3]
    assert len({step.request_key for step in steps}) == 1


async def test_other_clients_call_in_the_trajectorys_name(kafka: KafkaSettings) -> None:
    names = {"trajectory": "a/b c", "group": "ä", "channel": "val"}
    async with gateway(kafka, adding_node()) as server, AsyncGateway(server.url) as client:
        async with (
            client.trajectory(**names) as trajectory,
            AsyncOpenAI(base_url=trajectory.base_url, api_key="x") as it,
        ):
            await it.chat.completions.create(model="policy", messages=MESSAGES)  # type: ignore[arg-type]
        (step,) = await server.steps()
    assert (step.trajectory_id, step.group_id, step.channel) == ("a/b c", "ä", "val")


async def test_patience_ends() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with AsyncGateway(url, patience=Patience(outage_seconds=0.5)) as client:
        with pytest.raises(UnavailableError, match=f"{url} gave no answer to models"):
            await client.models()
    with pytest.raises(AgentError, match="'localhost:8100' is no URL of a gateway"):
        Gateway("localhost:8100")
