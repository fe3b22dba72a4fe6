"""Which node a call goes to, and where it goes when that one fails; on real HTTP servers."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from aiohttp import web

from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import CUT, DONE, FakeNode, announce, status_of
from tests.gateway.harness import gateway, until
from tests.gateway.samples import answer_data

pytestmark = pytest.mark.kafka

ERROR = {"error": {"message": "engine died", "type": "InternalServerError", "param": None, "code": 500}}


def refusing(status: int) -> FakeNode:
    return FakeNode(refusal=web.json_response(ERROR, status=status))


def calls(*nodes: FakeNode) -> int:
    return sum(len(node.bodies) for node in nodes)


async def test_a_trajectory_stays_with_its_node(kafka: KafkaSettings) -> None:
    nodes = [FakeNode() for _ in range(3)]
    async with gateway(kafka, *nodes) as client:
        for _ in range(3):
            for trajectory in range(12):
                await client.chat(f"/t{trajectory}/g/v1", messages=[{"role": "user", "content": str(trajectory)}])
    homes: dict[str, set[int]] = {}
    for number, node in enumerate(nodes):
        for body in node.bodies:
            homes.setdefault(body["messages"][0]["content"], set()).add(number)
    assert all(len(home) == 1 for home in homes.values())
    assert len(set.union(*homes.values())) == 3


async def test_calls_go_to_nodes_that_do_not_swap_and_to_those_that_do_where_there_are_no_others(
    kafka: KafkaSettings,
) -> None:
    nodes = [FakeNode() for _ in range(2)]
    async with gateway(kafka, *nodes) as client:
        await announce(kafka, status_of(nodes[0], "n0", health="swapping"))
        await until(lambda: any(each.health == "swapping" for each in client.gateway.nodes.live()))
        for trajectory in range(6):
            assert (await client.chat(f"/t{trajectory}/g/v1"))[0] == 200
        assert [len(node.bodies) for node in nodes] == [0, 6]
        await announce(kafka, status_of(nodes[1], "n1", health="swapping"))
        await until(lambda: all(each.health == "swapping" for each in client.gateway.nodes.live()))
        for trajectory in range(6):
            assert (await client.chat(f"/t{trajectory}/g/v1"))[0] == 200
    assert len(nodes[0].bodies) > 0


async def test_a_full_node_passes_calls_on_and_gets_its_trajectories_back(kafka: KafkaSettings) -> None:
    go_on = asyncio.Event()
    script: list[Any] = [go_on, *answer_data([1], [10], text="a"), DONE]
    nodes = [FakeNode(script=lambda _: script) for _ in range(2)]
    async with gateway(kafka, *nodes) as client:
        waiting = [asyncio.create_task(client.chat("/t/g/v1")) for _ in range(20)]
        await until(lambda: calls(*nodes) == 20)
        shares = sorted(len(node.bodies) for node in nodes)
        go_on.set()
        assert {(await each)[0] for each in waiting} == {200}
        before = Counter({number: len(node.bodies) for number, node in enumerate(nodes)})
        for _ in range(3):
            await client.chat("/t/g/v1")
        after = Counter({number: len(node.bodies) for number, node in enumerate(nodes)})
    assert shares[0] >= 6
    assert sorted((after - before).values()) == [3]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_node_that_fails_before_its_first_event_is_passed_over(
    kafka: KafkaSettings, status: int, stream: bool
) -> None:
    failing, healthy = refusing(status), FakeNode()
    async with gateway(kafka, failing, healthy) as client:
        answers = [await client.openai(f"t{n}").chat.completions.create(**ask(stream)) for n in range(6)]
        if stream:
            assert [[chunk async for chunk in answer] for answer in answers]
        assert len(await client.steps(6)) == 6
    assert len(healthy.bodies) == 6
    assert len(failing.bodies) <= 2  # it is drained until it says something newer


async def test_an_error_in_place_of_the_first_event_is_passed_over_too(kafka: KafkaSettings) -> None:
    failing, healthy = FakeNode(script=lambda _: [ERROR, DONE]), FakeNode()
    async with gateway(kafka, failing, healthy) as client:
        assert {(await client.chat(f"/t{n}/g/v1"))[0] for n in range(6)} == {200}
    assert failing.bodies


@pytest.mark.parametrize("status", [400, 404, 422])
async def test_a_refusal_of_the_call_itself_goes_to_no_other_node(kafka: KafkaSettings, status: int) -> None:
    nodes = [refusing(status), refusing(status)]
    async with gateway(kafka, *nodes) as client:
        assert (await client.chat())[0] == status
    assert calls(*nodes) == 1


async def test_where_every_node_fails_the_last_one_is_heard_and_not_all_are_asked(kafka: KafkaSettings) -> None:
    nodes = [refusing(500) for _ in range(5)]
    async with gateway(kafka, *nodes) as client:
        status, _, body = await client.chat()
    assert (status, body) == (500, ERROR)
    assert calls(*nodes) == 3


async def test_a_call_that_breaks_engines_breaks_three_at_most(kafka: KafkaSettings) -> None:
    nodes = [FakeNode(script=lambda _: [CUT]) for _ in range(5)]
    async with gateway(kafka, *nodes) as client:
        status, _, body = await client.chat()
    assert (status, body["error"]["code"]) == (502, "node_failed")
    assert calls(*nodes) == 3


async def test_after_the_first_event_no_other_node_is_asked(kafka: KafkaSettings) -> None:
    cut = [*answer_data([1, 2, 3], [10, 11])[:2], CUT]
    nodes = [FakeNode(script=lambda _: cut), FakeNode(script=lambda _: cut)]
    async with gateway(kafka, *nodes) as client:
        assert (await client.chat())[0] == 502
        (step,) = await client.steps()
    assert (calls(*nodes), step.trainable, step.finish_reason) == (1, False, "abort")


async def test_a_failed_node_is_asked_first_again_once_it_speaks(kafka: KafkaSettings) -> None:
    node, other = refusing(503), FakeNode()
    async with gateway(kafka, node, other) as client:
        for number in range(20):
            await client.chat(f"/t{number}/g/v1")
        assert len(node.bodies) == 1
        node.refusal = None
        await announce(kafka, status_of(node, "n0"))
        await until(lambda: not any(client.gateway.nodes.is_ailing(each) for each in client.gateway.nodes.live()))
        for number in range(20):
            await client.chat(f"/t{number}/g/v1")
    assert len(node.bodies) > 4


async def test_a_node_that_stops_gets_no_new_calls_and_ends_the_one_it_has(kafka: KafkaSettings) -> None:
    go_on = asyncio.Event()
    slow = FakeNode(script=lambda _: [*answer_data([1], [10], text="a")[:1], go_on, *answer_data([1], [10])[1:], DONE])
    other = FakeNode()
    async with gateway(kafka, slow) as client:
        under_way = asyncio.create_task(client.chat())
        await until(lambda: slow.bodies)
        async with gateway(kafka, other):
            await announce(kafka, status_of(slow, "n0", health="stopped"), status_of(other, "n1"))
            await until(lambda: [node.node for node in client.gateway.nodes.live()] == ["n1"])
            assert {(await client.chat(f"/t{n}/g/v1"))[0] for n in range(6)} == {200}
            go_on.set()
            assert (await under_way)[0] == 200
    assert len(slow.bodies) == 1


def ask(stream: bool) -> dict[str, Any]:
    return {"model": "x", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
