"""Chunks, answers and node statuses with sensible defaults."""

from typing import Any

import msgspec

from clawstream.gateway.answer import Answer
from clawstream.gateway.chunks import Chunk, ReportedSpan, read_chunk
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


def as_chunk(data: dict[str, Any]) -> Chunk:
    """``data`` as the gateway reads it."""
    return read_chunk(msgspec.json.encode(data))
