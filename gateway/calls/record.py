"""The step that a call leaves behind.

Invariant: all of it is known when it is written; nothing in a step is filled in later. Its channel is what this gateway
knows (see ``trajectories/memory.py``); the channel of the trajectory's ``opened`` feedback overrules it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from clawstream.gateway.callers.identity import Caller
from clawstream.gateway.chat.answer import Answer
from clawstream.gateway.chat.request import ChatRequest
from clawstream.gateway.tokens.integrity import Ended, Flaw, find_flaw, finish_reason
from clawstream.gateway.tokens.prefix import Stored
from clawstream.gateway.tokens.spans import policy_spans
from clawstream.gateway.trajectories.continuing import Plan, why_branched
from clawstream.gateway.upstreams.provider import gives_tokens
from clawstream.schemas import NodeStatus, Step, now, pack_logprobs, pack_tokens


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call, as it came in."""

    step_id: str
    caller: Caller
    channel: str
    asked: ChatRequest
    received_at: datetime
    plan: Plan


class Sampled(msgspec.Struct, frozen=True, kw_only=True):
    """One call, as it was answered."""

    answer: Answer
    prompt: bytes  # its prompt's token ids, packed
    node: NodeStatus  # what the node had said when the call went to it
    ended: Ended | None  # how it ended otherwise


def step_of(call: Call, sampled: Sampled, stored: Stored) -> tuple[Step, Flaw | None]:
    """The step to record, and why it must not train; ``None`` when it may."""
    answer, caller = sampled.answer, call.caller
    spans = policy_spans(answer.reported_spans)
    provider = None if gives_tokens(sampled.node) else sampled.node.node
    flaw = find_flaw(answer, spans, call.asked.temperature, caller.turn_type, sampled.ended, provider)
    step = Step(
        step_id=call.step_id,
        trajectory_id=caller.trajectory_id,
        group_id=caller.group_id,
        tenant=caller.tenant,
        agent=caller.agent,
        channel=call.channel,
        turn_type=caller.turn_type,
        request_key=caller.request_key,
        attempt=caller.attempt,
        received_at=call.received_at,
        first_token_at=answer.first_token_at,
        finished_at=answer.last_token_at or now(),
        new_messages_json=stored.new_messages_json,
        tools_json=stored.tools_json,
        sampling_json=_json(call.asked.sampling()),
        text=answer.text,
        reasoning=answer.reasoning_text,
        tool_calls_json=_json(answer.tool_messages) if answer.tool_calls else None,
        finish_reason=finish_reason(answer, sampled.ended),
        prompt_prefix=stored.prefix,
        branch_reason=why_branched(
            call.plan,
            sampled.prompt,
            sampled.node.node,
            answer.not_continued,
            stored.prefix is not None,
        ),
        prompt_tokens=stored.prompt_tokens,
        response_tokens=pack_tokens(answer.token_ids),
        response_logprobs=pack_logprobs(answer.logprobs),
        logprobs_mode=sampled.node.logprobs_mode,
        temperature=call.asked.temperature,
        policy_spans=spans or [],
        node=sampled.node.node,
        model=sampled.node.model,
        prompt_token_count=_count(answer, "prompt_tokens", len(answer.prompt_ids or ())),
        response_token_count=_count(answer, "completion_tokens", len(answer.token_ids)),
        trainable=flaw is None,
        untrainable_reason=flaw.reason if flaw else None,
    )
    return step, flaw


def tokens_used(answers: Sequence[Answer]) -> int:
    """Tokens of one call: its prompt, and all of its answers."""
    prompt = _count(answers[0], "prompt_tokens", len(answers[0].prompt_ids or ()))
    return prompt + sum(_count(answer, "completion_tokens", len(answer.token_ids)) for answer in answers)


def _count(answer: Answer, key: str, otherwise: int) -> int:
    count = (answer.usage or {}).get(key)
    return count if isinstance(count, int) else otherwise


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
