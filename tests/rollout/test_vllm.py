"""A real node: real vLLM, real Kafka, a tiny model."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
import transformers
from safetensors.numpy import load_file, save_file

from clawstream.schemas import NodeStatus
from clawstream.streams.process.ports import HOST
from clawstream.trainer.transfer.sender import Sender
from tests.vllm_node import EARLIER, Said, VllmNode, announcement, together

pytestmark = [pytest.mark.vllm, pytest.mark.kafka]

TOOL = {
    "type": "function",
    "function": {
        "name": "calc",
        "description": "calculates",
        "parameters": {"type": "object", "properties": {"e": {"type": "string"}}},
    },
}
CALL = 'so <tool_call>\n{"name": "calc", "arguments": {"e": "1+2"}}\n</tool_call>'
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "tools offered": {"tools": [TOOL]},
    "tool called": {"tools": [TOOL], "structured_outputs": {"choice": [CALL]}, "max_tokens": 200},
    "stop string": {"stop": ["e"], "max_tokens": 300},
}


def is_whole(said: Said) -> None:
    """Ids, log-probabilities, usage and spans are of the same tokens."""
    count = said.usage["completion_tokens"]
    assert len(said.tokens) == len(said.logprobs) == count > 0
    assert len(said.prompt) == said.usage["prompt_tokens"]
    assert [span["start"] for span in said.spans] == [0, *(span["end"] for span in said.spans[:-1])]
    assert said.spans[-1]["end"] == count


def until_ready(node: VllmNode) -> tuple[NodeStatus, NodeStatus]:
    """The first thing that it said, and the first after it was starting; it repeats itself."""
    said = node.statuses()
    return said[0], next(status for status in said if status.health != "starting")


def test_one_that_joins_late_is_ready_once_it_has_loaded_the_newest(node: VllmNode) -> None:
    first, ready = until_ready(node)
    assert [(each.health, each.version) for each in (first, ready)] == [("starting", 0), ("ready", EARLIER[-1])]
    assert (ready.model, ready.logprobs_mode, ready.max_model_len) == ("policy", "processed_logprobs", 1024)
    assert node.label() == str(node.statuses()[-1].version)
    assert {span["version"] for span in node.stream().spans} == {node.label()}


@pytest.mark.parametrize("kind", OPTIONS)
def test_a_streamed_answer_is_whole(node: VllmNode, kind: str) -> None:
    said = node.stream(**OPTIONS[kind])
    is_whole(said)
    assert {span["version"] for span in said.spans} == {node.label()}
    assert bool(said.tool_calls) == (kind == "tool called")
    if said.tool_calls:
        assert said.finish_reason == "tool_calls"
        arguments = "".join(call["function"].get("arguments") or "" for call in said.tool_calls)
        assert json.loads(arguments) == {"e": "1+2"}


def test_an_answer_at_once_is_whole_too(node: VllmNode) -> None:
    messages = [{"role": "user", "content": "hi"}]
    body = {
        "model": "policy",
        "messages": messages,
        "max_tokens": 9,
        "logprobs": True,
        "return_token_ids": True,
        "n": 2,
    }
    answer = httpx.post(f"{node.url}/v1/chat/completions", json=body, timeout=60).json()
    for choice in answer["choices"]:
        count = len(choice["token_ids"])
        assert len(choice["logprobs"]["content"]) == count
        assert choice["weight_versions"] == [{"version": node.label(), "start": 0, "end": count}]


@pytest.mark.parametrize(("prompt", "n"), [([72, 105], 1), ("hi", 2), (["hi", "you"], 2)])
def test_a_completion_says_which_weights_sampled_it(node: VllmNode, prompt: Any, n: int) -> None:
    body = {"model": "policy", "prompt": prompt, "n": n, "max_tokens": 9, "logprobs": 0, "return_token_ids": True}
    count = n * (2 if isinstance(prompt[0], str) and isinstance(prompt, list) else 1)
    whole = httpx.post(f"{node.url}/v1/completions", json=body, timeout=60).json()["choices"]
    streamed = httpx.post(f"{node.url}/v1/completions", json=body | {"stream": True}, timeout=60).text
    data = [json.loads(line[6:]) for line in streamed.split("\n") if line.startswith("data: {")]
    ids = dict.fromkeys(range(count), 0)
    for choice in (choice for chunk in data for choice in chunk["choices"]):
        ids[choice["index"]] += len(choice["token_ids"])
    spans = {chunk.get("index", 0): chunk["weight_versions"] for chunk in data if "weight_versions" in chunk}
    assert spans == {index: [{"version": node.label(), "start": 0, "end": ids[index]}] for index in range(count)}
    for choice in whole:
        assert choice["weight_versions"] == [{"version": node.label(), "start": 0, "end": len(choice["token_ids"])}]
    if n == 1:
        assert data[0]["choices"][0]["prompt_token_ids"] == prompt


def test_the_other_dialects_are_as_they_were(node: VllmNode) -> None:
    body = {"model": "policy", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5, "stream": True}
    answer = httpx.post(f"{node.url}/v1/messages", json=body, timeout=60)
    assert answer.text.count("event: message_delta") == 1


def test_a_client_that_leaves_ends_its_request(node: VllmNode) -> None:
    body = {"model": "policy", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 900, "stream": True}
    with httpx.stream("POST", f"{node.url}/v1/chat/completions", json=body | {"ignore_eos": True}) as answer:
        next(answer.iter_lines())
    until_running(node, lambda count: count == 0)


def until_running(node: VllmNode, condition: Callable[[float], bool]) -> None:
    """Wait until as many requests run as ``condition`` asks for."""
    deadline = time.monotonic() + 30
    while True:
        lines = httpx.get(f"{node.url}/metrics").text.splitlines()
        (line,) = [line for line in lines if line.startswith("vllm:num_requests_running{")]
        if condition(float(line.split()[-1])):
            return
        assert time.monotonic() < deadline, line
        time.sleep(0.05)


@pytest.mark.parametrize("way", ["disk", "transfer"])
def test_a_swap_fails_no_request_and_every_token_has_its_version(node: VllmNode, way: str) -> None:
    old, folder = node.label(), node.snapshot(seed=11 if way == "disk" else 13)
    new = str(node.versions[-1] + 1)
    sender = Sender(announcement(int(new), folder), "gloo", HOST, 0, 60.0, torch.device("cpu"))

    def ask_until_swapped(number: int) -> list[Said]:
        said: list[Said] = []
        while not said or said[-1].spans[-1]["version"] == old:
            assert len(said) < 50, "the new weights never came"
            length = 250 + 20 * number  # so that they do not all end at the same time
            said.append(node.stream(f"question {number}", max_tokens=length, ignore_eos=True))
        return said

    with ThreadPoolExecutor(1) as thread:
        answers = thread.submit(together, 16, ask_until_swapped)
        until_running(node, lambda count: count >= 8)
        node.announce(folder, transfer=sender.address if way == "transfer" else None)
        said = [answer for one in answers.result() for answer in one]
    for answer in said:
        is_whole(answer)
        assert [span["version"] for span in answer.spans] in ([old], [old, new], [new])
    mixed = [answer for answer in said if len(answer.spans) == 2]
    assert mixed, "no answer was in flight while weights were swapped"
    assert node.wait(lambda status: status.version == int(new) and status.health == "ready")
    assert node.label() == new
    assert "swapping" in {status.health for status in node.statuses()}
    assert_sampled_by_new_weights(node, max(mixed, key=fewer))
    assert f"serving version {new} (swap by {way}, " in node.log.read_text()
    sender.close()


def fewer(said: Said) -> int:
    """Tokens of whichever weights sampled fewer of them."""
    return min(span["end"] - span["start"] for span in said.spans)


def assert_sampled_by_new_weights(node: VllmNode, said: Said) -> None:
    """Recompute with the weights now served: equal for the tokens of the second span alone."""
    body = {"model": "policy", "prompt": said.prompt + said.tokens, "max_tokens": 1, "prompt_logprobs": 0}
    answer = httpx.post(f"{node.url}/v1/completions", json=body, timeout=60).json()
    entries = answer["choices"][0]["prompt_logprobs"][len(said.prompt) :]
    again = np.array([entry[str(token)]["logprob"] for entry, token in zip(entries, said.tokens, strict=True)])
    difference, boundary = np.abs(again - said.logprobs), said.spans[1]["start"]
    assert difference[boundary:].max() < 1e-3
    assert difference[:boundary].max() > 0.1


def test_what_was_swapped_in_is_served_whole(node: VllmNode) -> None:
    """The model's output layer is tied to its embedding, of which vLLM keeps a packed copy."""
    folder = node.snapshot(seed=12)
    version = node.announce(folder)
    node.wait(lambda status: status.version == version)
    said = node.stream("what do you serve?", max_tokens=20, ignore_eos=True)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    with torch.no_grad():
        logits = model(torch.tensor([said.prompt + said.tokens])).logits[0, len(said.prompt) - 1 : -1]
    expected = torch.log_softmax(logits, -1).gather(1, torch.tensor(said.tokens)[:, None])[:, 0]
    assert np.abs(expected.numpy() - np.array(said.logprobs)).max() < 1e-3


def without_a_tensor(folder: Path) -> str | None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.down_proj.weight"]
    save_file(weights, folder / "model.safetensors")
    return None


def with_another_shape(folder: Path) -> str | None:
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"] = np.ones(64, np.float32)
    save_file(weights, folder / "model.safetensors")
    return None


def with_a_wrong_checksum(folder: Path) -> str | None:
    return "0" * 64


def that_is_gone(folder: Path) -> str | None:
    (folder / "model.safetensors").unlink()
    return "1" * 64


@pytest.mark.parametrize("spoil", [with_a_wrong_checksum, without_a_tensor, with_another_shape, that_is_gone])
def test_a_bad_snapshot_is_refused(node: VllmNode, spoil: Any) -> None:
    before, folder = node.label(), node.snapshot(seed=20)
    version = node.announce(folder, spoil(folder))
    deadline = time.monotonic() + 20
    while f"version {version} is not loaded" not in node.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert node.label() == before
    assert node.wait(lambda status: status.health == "ready").version == int(before)
    is_whole(node.stream())
