"""Which step a request goes on from, over turns, edits, branches, processes and restarts."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from clawstream.gateway.chat.request import read_chat
from clawstream.gateway.command import serving
from clawstream.gateway.settings import GatewaySettings
from clawstream.gateway.tokens.history import answer_message
from clawstream.gateway.tokens.prefix import Known, PrefixStore, known_of
from clawstream.gateway.trajectories.continuing import Plan, is_complete, plan, why_branched
from clawstream.schemas import pack_tokens, unpack_tokens
from clawstream.schemas.continuing import CONTINUES
from clawstream.schemas.reading.sequences import resolve
from clawstream.streams.settings import KafkaSettings
from tests.gateway.going_on import a_node
from tests.gateway.harness import Client, gateway, until

SYSTEM = {"role": "system", "content": "be brief"}
USER = {"role": "user", "content": "hi"}
MORE = {"role": "user", "content": "more"}
TOOLS = [{"type": "function", "function": {"name": "calc"}}]
CALLS = [{"id": "c1", "type": "function", "function": {"name": "calc", "arguments": '{"e": "1+1", "n": 2}'}}]


def said(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def a_known(step_id: str, messages: list[Any], text: str = "hello", **fields: Any) -> Known:
    answer = answer_message(text, fields.pop("tool_calls", ()))
    given = {"tools": [], "sampling": {}, "model": "policy", "tokens": pack_tokens([1, 2])} | fields
    return known_of(step_id, messages=messages, answer=answer, **given)


def decided(*known: Known, **body: Any) -> Plan:
    store = PrefixStore(10_000, 16)
    for each in known:
        store.remember("t", each)
    return plan(read_chat(body), "t", store)


def test_a_request_that_repeats_the_answer_goes_on_from_it() -> None:
    first, second = a_known("a", [USER]), a_known("b", [USER, said("hello"), MORE], "bye")
    found = decided(first, second, messages=[USER, said("hello"), MORE, said("bye"), USER])
    assert (found.known, found.branch_reason) == (second, None)


@pytest.mark.parametrize(
    "answer",
    [
        {"role": "assistant", "content": " hello\n", "tool_calls": None, "refusal": None, "audio": None},
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "hello"}],
            "reasoning": "because",
            "annotations": [],
        },
    ],
)
def test_it_does_not_matter_how_a_client_writes_the_answer_down(answer: dict[str, Any]) -> None:
    assert decided(a_known("a", [USER]), messages=[USER, answer, MORE]).known is not None


@pytest.mark.parametrize("arguments", ['{"n":2,"e":"1+1"}', '{"e": "1+1", "n": 2} ', {"e": "1+1", "n": 2}])
def test_arguments_are_compared_as_json(arguments: Any) -> None:
    call = {"id": "other", "function": {"name": "calc", "arguments": arguments}}
    answer = {"role": "assistant", "content": None, "tool_calls": [call]}
    known = a_known("a", [USER], "", tool_calls=CALLS)
    assert decided(known, messages=[USER, answer, {"role": "tool", "content": "2"}]).known == known


def test_of_two_equal_answers_the_one_used_last_is_gone_on_from() -> None:
    one, other = a_known("a", [USER], tokens=pack_tokens([1])), a_known("b", [USER], tokens=pack_tokens([2]))
    assert decided(one, other, messages=[USER, said("hello"), MORE]).known == other


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"messages": [USER, said("hello"), MORE, said("not so"), USER]}, "edited: message 3 is an answer"),
        ({"messages": [MORE, said("hello"), MORE]}, "edited: the messages are not the history of any of 1"),
        ({"messages": [SYSTEM, MORE]}, "new: no message is an answer"),
        ({"tools": TOOLS}, "tools: step a had other tools"),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "settings: step a had other settings"),
        ({"continue_final_message": True}, "option: continue_final_message"),
        ({"messages": [USER, said("hello"), {"role": "user", "content": [{"type": "image_url"}]}]}, "media: "),
    ],
)
def test_what_is_not_the_same_is_a_branch_that_says_why(changed: dict[str, Any], reason: str) -> None:
    found = decided(a_known("a", [USER]), **({"messages": [USER, said("hello"), MORE]} | changed))
    assert (found.branch_reason or "").startswith(reason)
    assert (found.known is not None) == reason.startswith("edited: message")
    assert is_complete(found) != reason.startswith("edited")


def test_sampling_parameters_that_shape_no_prompt_do_not_matter() -> None:
    known = a_known("a", [USER], sampling={"temperature": 1.0, "seed": 1})
    assert decided(known, messages=[USER, said("hello"), MORE], seed=2, max_tokens=5).known == known


def test_the_first_call_of_a_trajectory_has_nothing_to_go_on_from() -> None:
    assert decided(messages=[USER]) == Plan()
    shot = decided(messages=[USER, said("an example"), MORE])
    assert (shot.branch_reason or "").startswith("unknown: ")
    assert not is_complete(shot)


def test_a_prompt_that_begins_otherwise_says_that_the_node_did_not_go_on() -> None:
    planned = Plan(known=a_known("a", [USER]))
    assert why_branched(planned, pack_tokens([1, 2, 3]), "n1", None, True) is None
    assert why_branched(planned, pack_tokens([7]), "n1", None, False) == (
        "node: n1 did not go on from step a: the prompt does not begin with its tokens"
    )
    assert (why_branched(planned, pack_tokens([7]), "n1", "too long", False) or "").endswith(": too long")
    assert why_branched(Plan(branch_reason="edited: x"), b"", "n1", None, False) == "edited: x"
    assert why_branched(Plan(branch_reason="edited: x"), pack_tokens([1]), "n1", None, True) is None


async def turn(client: Client, messages: list[Any], **body: Any) -> None:
    status, _, answered = await client.chat(messages=messages, **body)
    assert status == 200
    messages += [answered["choices"][0]["message"], {"role": "user", "content": f"{len(messages)}?"}]


@contextlib.asynccontextmanager
async def another(client: Client, **settings: Any) -> AsyncIterator[Client]:
    """A second gateway on the same log and nodes."""
    async with serving(GatewaySettings(port=0, **settings), client.kafka) as (parts, url):
        await until(lambda: len(parts.nodes.live()) == len(client.gateway.nodes.live()))
        yield Client(gateway=parts, kafka=client.kafka, url=url, http=client.http)


@pytest.mark.kafka
async def test_turns_go_on_from_the_sampled_tokens_over_two_gateways(kafka: KafkaSettings) -> None:
    messages: list[Any] = [USER]
    async with gateway(kafka, a_node()) as one, another(one) as other:
        for client in (one, other, other, one, other):
            await turn(client, messages, tools=TOOLS)
        steps = await one.steps(5)
        assert one.gateway.handover is not None
    resolved = resolve(steps)
    assert (len(resolved.sequences), len(resolved.step_ids)) == (1, 5)
    assert [step.branch_reason for step in steps] == [None] * 5
    assert [json.loads(step.new_messages_json)[-1]["content"] for step in steps] == ["hi", "1?", "3?", "5?", "7?"]


@pytest.mark.kafka
async def test_a_tree_of_sub_agents_keeps_every_branch_exact(kafka: KafkaSettings) -> None:
    main: list[Any] = [USER]
    helper: list[Any] = [SYSTEM, MORE]
    async with gateway(kafka, a_node()) as client:
        for messages in (main, helper, main, helper, helper, main):
            await turn(client, messages)
        steps = await client.steps(6)
    resolved = resolve(steps)
    assert sorted(len(sequence.responses) for sequence in resolved.sequences) == [3, 3]
    reasons = [step.branch_reason for step in steps]
    assert [reason and reason.partition(":")[0] for reason in reasons] == [None, "new", None, None, None, None]


@pytest.mark.kafka
async def test_a_node_that_does_not_go_on_is_quoted(kafka: KafkaSettings) -> None:
    messages: list[Any] = [USER]
    async with gateway(kafka, a_node(refuses="the template is odd")) as client:
        await turn(client, messages)
        await turn(client, messages)
        first, second = await client.steps(2)
    assert second.prompt_prefix is None
    assert second.branch_reason == f"node: n0 did not go on from step {first.step_id}: the template is odd"


@pytest.mark.kafka
async def test_fifty_turns_store_little_more_than_their_unique_tokens(kafka: KafkaSettings) -> None:
    messages: list[Any] = [USER]
    async with gateway(kafka, a_node()) as client:
        for _ in range(50):
            await turn(client, messages)
        steps = await client.steps(50)
    stored = sum(len(unpack_tokens(step.prompt_tokens + step.response_tokens)) for step in steps)
    (sequence,) = resolve(steps).sequences
    assert stored <= 1.1 * len(unpack_tokens(sequence.tokens))


@pytest.mark.kafka
async def test_a_client_cannot_say_what_to_go_on_from(kafka: KafkaSettings) -> None:
    node = a_node()
    async with gateway(kafka, node) as client:
        status, _, _ = await client.chat(**{CONTINUES: {"answer_index": 0, "tokens": "AAAA"}})
    assert status == 200
    assert CONTINUES not in node.bodies[0]
