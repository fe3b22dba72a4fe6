"""Chunks, answers and node statuses with sensible defaults."""

from itertools import zip_longest
from typing import Any

import msgspec

from clawstream.gateway.chat.answer import Answer
from clawstream.gateway.chat.chunks import Chunk, ReportedSpan, read_chunk
from clawstream.schemas import NodeStatus
from tests.builders import NOON


def a_node(node: str = "n1", **fields: Any) -> NodeStatus:
    """A ready node that serves version 3."""
    defaults: dict[str, Any] = {
        "node": node,
        "url": "http://127.0.0.1:1",
        "model": "policy",
        "version": 3,
        "health": "ready",
        "logprobs_mode": "processed_logprobs",
        "max_model_len": 4096,
        "at": NOON,
    }
    return NodeStatus(**(defaults | fields))


def an_answer(prompt: list[int] | None = None, response: list[int] | None = None, **fields: Any) -> Answer:
    """A complete, consistent answer."""
    prompt, response = prompt or [1, 2, 3], response or [10, 11]
    defaults: dict[str, Any] = {
        "id": "chatcmpl-1",
        "created": 7,
        "model": "policy",
        "content": ["hello"],
        "finish_reason": "stop",
        "prompt_ids": prompt,
        "token_ids": response,
        "logprobs": [-0.5] * len(response),
        "usage": {"prompt_tokens": len(prompt), "completion_tokens": len(response)},
        "reported_spans": [ReportedSpan(version="3", start=0, end=len(response))],
    }
    return Answer(**(defaults | fields))


def chunk_data(delta: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """A chunk as vLLM sends it; ``tokens`` are its ids, each with log-probability -0.5."""
    tokens: list[int] = fields.pop("tokens", [])
    choice: dict[str, Any] = {"index": 0, "delta": delta or {}, "finish_reason": fields.pop("finish_reason", None)}
    if tokens:
        entry = {"token": "t", "logprob": -0.5, "bytes": [116], "top_logprobs": []}
        choice |= {"token_ids": tokens, "logprobs": {"content": [entry] * len(tokens)}}
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 7, "model": "policy"}
    return {**base, "choices": [choice], **fields}


def answer_data(
    prompt: list[int], response: list[int], text: str = "hello world", finish_reason: str = "stop", **fields: Any
) -> list[dict[str, Any]]:
    """All chunks of one answer: the role, one per token, usage, spans."""
    share = max(1, -(-len(text) // max(1, len(response))))
    chunks = [chunk_data({"role": "assistant", "content": ""}, prompt_token_ids=prompt)]
    for position, token in enumerate(response):
        content = text[position * share : (position + 1) * share]
        last = position == len(response) - 1
        chunks.append(chunk_data({"content": content}, tokens=[token], finish_reason=finish_reason if last else None))
    counts = {"prompt_tokens": len(prompt), "completion_tokens": len(response)}
    usage = fields.get("usage", counts | {"total_tokens": len(prompt) + len(response)})
    chunks.append(chunk_data() | {"choices": [], "usage": usage})
    spans = fields.get("weight_versions", [{"version": "3", "start": 0, "end": len(response)}])
    if spans is not None:
        chunks.append(chunk_data() | {"choices": [], "weight_versions": spans})
    return chunks


def completion_data(
    prompt: list[int], response: list[int], text: str = "hello world", index: int = 0, **fields: Any
) -> list[dict[str, Any]]:
    """All chunks of one completion: one per token, usage, spans."""
    base = {"id": "cmpl-1", "object": "text_completion", "created": 7, "model": "policy"}
    share, chunks = max(1, -(-len(text) // len(response))), []
    for position, token in enumerate(response):
        said, last = text[position * share : (position + 1) * share], position == len(response) - 1
        logprobs = {"tokens": [said], "token_logprobs": [-0.5], "top_logprobs": [None], "text_offset": [position]}
        choice = {"index": index, "text": said, "logprobs": logprobs, "token_ids": [token]}
        choice |= {"finish_reason": "stop" if last else None, "stop_reason": None}
        chunks.append(base | {"choices": [choice | ({} if position else {"prompt_token_ids": prompt})]})
    counts = {"prompt_tokens": len(prompt), "completion_tokens": len(response)}
    chunks.append(base | {"choices": [], "usage": counts | {"total_tokens": len(prompt) + len(response)}})
    spans = fields.get("weight_versions", [{"version": "3", "start": 0, "end": len(response)}])
    return [*chunks, base | {"choices": [], "weight_versions": spans}]


def several(answers: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The chunks of several answers of one call as vLLM sends them: in turns, with one usage, spans last."""
    numbered = [
        [chunk | {"choices": [choice | {"index": index} for choice in chunk["choices"]]} for chunk in answer[:-2]]
        for index, answer in enumerate(answers)
    ]
    chunks = [chunk for group in zip_longest(*numbered) for chunk in group if chunk is not None]
    used = [answer[-2]["usage"] for answer in answers]
    written, prompt = sum(usage["completion_tokens"] for usage in used), used[0]["prompt_tokens"]
    usage = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
    return [*chunks, answers[0][-2] | {"usage": usage}, *(a[-1] | {"index": n} for n, a in enumerate(answers))]


def as_chunk(data: dict[str, Any]) -> Chunk:
    """``data`` as the gateway reads it."""
    return read_chunk(msgspec.json.encode(data))
