"""A rollout node that answers at once: vLLM's streaming protocol, fixed tokens. So a benchmark measures our part.

It samples nothing. Figures taken with it say what ClawStream adds, never how fast a model is.
"""

import asyncio
import itertools
import json
import sys
from typing import Any

from aiohttp import web

from clawstream.schemas import NodeStatus, now
from clawstream.streams.writing.producer import Producer
from clawstream.topics import NODES

RESPONSE_TOKENS = 16
_TOKEN_SECONDS = 0.001


def announce(producer: Producer, url: str) -> None:
    """Say in ``nodes`` that this node is ready, as a rollout node does."""
    status = NodeStatus(
        node="synthetic",
        url=url,
        model="policy",
        version=0,
        health="ready",
        logprobs_mode="processed_logprobs",
        max_model_len=100_000,
        at=now(),
    )
    producer.send(NODES, status).result(timeout=30)


async def keep_announcing(producer: Producer, url: str) -> None:
    """Announce every 5 seconds, until cancelled."""
    while True:
        await asyncio.to_thread(announce, producer, url)
        await asyncio.sleep(5)


def make_app() -> web.Application:
    """The node."""
    app = web.Application(client_max_size=1 << 26)
    app.router.add_post("/v1/chat/completions", chat)
    return app


async def chat(request: web.Request) -> web.StreamResponse:
    """``/v1/chat/completions``: prompt ids by the length of the messages, then 16 tokens at once, in chunks of four; or
    as many as ``max_tokens`` says, one each millisecond, in chunks of one. Where ``stream_interval`` is asked for,
    chunks have so many after the first, which has one, as vLLM's have."""
    asked = await request.json()
    prompt, limit = _prompt_ids(asked["messages"]), asked.get("max_tokens")
    count, usual = (RESPONSE_TOKENS, 4) if limit is None else (limit, 1)
    first, size = (1, asked["stream_interval"]) if "stream_interval" in asked else (usual, usual)
    usage = {"prompt_tokens": len(prompt), "completion_tokens": count, "total_tokens": len(prompt) + count}
    if not asked.get("stream"):
        await asyncio.sleep(0.0 if limit is None else count * _TOKEN_SECONDS)
        message = {"role": "assistant", "content": "word" * (count // usual)}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        whole = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "policy", "choices": choices}
        return web.json_response(whole | {"usage": usage})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    base: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "policy"}
    opening = {"index": 0, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}
    await _send(response, {**base, "prompt_token_ids": prompt, "choices": [opening]})
    for start, end in itertools.pairwise((0, *range(first, count, size), count)):
        if limit is not None:
            await asyncio.sleep((end - start) * _TOKEN_SECONDS)
        token_ids = list(range(start, end))
        entry = {"token": "w", "logprob": -0.5, "bytes": None, "top_logprobs": []}
        choice = {
            "index": 0,
            "delta": {"content": f"w{start} "},
            "logprobs": {"content": [entry] * len(token_ids)},
            "finish_reason": "stop" if end == count else None,
            "token_ids": token_ids,
        }
        await _send(response, {**base, "choices": [choice]})
    await _send(response, {**base, "choices": [], "usage": usage})
    spans = [{"version": "0", "start": 0, "end": count}]
    await _send(response, {**base, "choices": [], "weight_versions": spans})
    await response.write(b"data: [DONE]\n\n")
    return response


def _prompt_ids(messages: list[dict[str, Any]]) -> list[int]:
    """A message is as many tokens as it has words; an answer of ours is the 16 tokens that it was."""
    ids: list[int] = []
    for message in messages:
        if message["role"] == "assistant":
            ids += range(RESPONSE_TOKENS)
        else:
            ids += range(1000, 1000 + len(str(message["content"]).split()))
    return ids


async def _send(response: web.StreamResponse, chunk: dict[str, Any]) -> None:
    await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")


if __name__ == "__main__":
    web.run_app(make_app(), host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
