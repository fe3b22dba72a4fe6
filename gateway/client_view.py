"""What the client sees of a node's answer. Pure.

Invariant: fields that only we asked for are gone; everything else is as the node sent it.
"""

from typing import Any

from clawstream.gateway.answer import Answer
from clawstream.gateway.request import ChatRequest


def visible_chunk(chunk: dict[str, Any], request: ChatRequest) -> dict[str, Any] | None:
    """``chunk`` as the client should see it; None when nothing of it was asked for."""
    if chunk.get("weight_versions") or (not chunk.get("choices") and chunk.get("usage") and not request.wants_usage):
        return None
    seen = {key: value for key, value in chunk.items() if key != "prompt_token_ids" or request.wants_token_ids}
    if not request.wants_usage:
        seen.pop("usage", None)
    seen["choices"] = [_visible_choice(choice, request) for choice in chunk.get("choices", ())]
    return seen


def _visible_choice(choice: dict[str, Any], request: ChatRequest) -> dict[str, Any]:
    seen = {key: value for key, value in choice.items() if key != "token_ids" or request.wants_token_ids}
    if not request.wants_logprobs:
        seen["logprobs"] = None
    return seen


def whole_answer(answer: Answer, request: ChatRequest, model: str) -> dict[str, Any]:
    """A ``chat.completion`` for a client that does not stream."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": answer.message(),
        "finish_reason": answer.finish_reason,
        "logprobs": {"content": answer.logprob_entries} if request.wants_logprobs else None,
    }
    whole: dict[str, Any] = {
        "id": answer.completion_id,
        "object": "chat.completion",
        "created": answer.created,
        "model": model,
        "choices": [choice],
        "usage": answer.usage,
    }
    if request.wants_token_ids:
        choice["token_ids"] = answer.token_ids
        whole["prompt_token_ids"] = answer.prompt_ids
    return whole
