"""``Step``: one model call exactly as it was sampled.

Invariant: ``response_tokens`` and ``response_logprobs`` hold as many entries as the engine sampled, or the step
says why it is not trainable. The full prompt is ``prompt_prefix`` resolved, followed by ``prompt_tokens``::

    step 1   prompt_prefix = None           prompt_tokens = [s, u1]    response_tokens = [a1]
    step 2   prompt_prefix = (step 1, 2+1)  prompt_tokens = [t1]       response_tokens = [a2]
             full prompt of step 2 = [s, u1, a1, t1]
"""

from datetime import datetime
from typing import Annotated

from clawstream.schemas.record import Record, says


class PolicySpan(Record, frozen=True, kw_only=True):
    """A run of tokens sampled by one policy version."""

    version: Annotated[int, says("policy version that sampled these tokens")]
    start: Annotated[int, says("first token of the span, counted from 0")]
    end: Annotated[int, says("one past the last token of the span")]


class PromptPrefix(Record, frozen=True, kw_only=True):
    """What this prompt continues: the first ``token_count`` tokens of another step's prompt and response."""

    step_id: Annotated[str, says("the step whose prompt and response this prompt begins with")]
    token_count: Annotated[int, says("tokens shared with that step: its whole prompt and response")]
    sha256: Annotated[str, says("hex digest of those tokens as little-endian int32")]


class Step(Record, frozen=True, kw_only=True):
    """One model call: who made it, what was asked, what was sampled by which policy, and whether it may train."""

    step_id: Annotated[str, says("UUIDv7 of this call")]
    trajectory_id: Annotated[str, says("trajectory that the call belongs to; the record's key")]
    group_id: Annotated[str, says("rollouts of one task share a group")]
    tenant: Annotated[str, says("owner of the data")]
    agent: Annotated[str, says("name of the calling agent, empty when unknown")]
    channel: Annotated[str, says("train, val or a name of the user's")]
    turn_type: Annotated[str, says("main: trains; side: recorded only")]
    request_key: Annotated[str, says("identifies the client's logical call over its retries")]
    attempt: Annotated[int, says("1 for the first try of a logical call")]
    received_at: Annotated[datetime, says("when the gateway received the request")]
    first_token_at: Annotated[datetime | None, says("when the first token came from the engine")]
    finished_at: Annotated[datetime, says("when the last token came from the engine")]
    new_messages_json: Annotated[str, says("JSON array of the messages that the continued step had not seen")]
    tools_json: Annotated[str | None, says("JSON array of tools; null when there are none or as in the continued step")]
    sampling_json: Annotated[str, says("JSON object of the sampling parameters that were asked for")]
    text: Annotated[str, says("content of the answer")]
    reasoning: Annotated[str | None, says("reasoning of the answer, where the engine separates it")]
    tool_calls_json: Annotated[str | None, says("JSON array of the answer's tool calls")]
    finish_reason: Annotated[str, says("stop, tool_calls, length, abort or disconnect")]
    prompt_prefix: Annotated[PromptPrefix | None, says("the step that this prompt continues; null: written whole")]
    prompt_tokens: Annotated[bytes, says("prompt token ids after the prefix, packed little-endian int32")]
    response_tokens: Annotated[bytes, says("sampled token ids, packed little-endian int32")]
    response_logprobs: Annotated[bytes, says("behaviour log-probabilities in nats, packed little-endian float32")]
    logprobs_mode: Annotated[str, says("raw_logprobs or processed_logprobs, as the engine was started")]
    temperature: Annotated[float, says("sampling temperature")]
    policy_spans: Annotated[list[PolicySpan], says("which version sampled which response tokens, in order, no gaps")]
    node: Annotated[str, says("rollout node that answered")]
    model: Annotated[str, says("model name as served")]
    prompt_token_count: Annotated[int, says("usage: tokens of the full prompt")]
    response_token_count: Annotated[int, says("usage: tokens sampled")]
    trainable: Annotated[bool, says("true when the integrity check held and the answer is complete")]
    untrainable_reason: Annotated[str | None, says("why the step must not train; null when it may")]
    branch_reason: Annotated[
        str | None,
        says("why the prompt does not go on from the last answer in its messages; null: it does, or it is the first"),
    ] = None
