"""Completed trajectories without a model: steps that continue each other, of a given size on the wire."""

from collections.abc import Iterator

import numpy as np

from clawstream.schemas import (
    TOKEN_BYTES,
    Feedback,
    PolicySpan,
    PromptPrefix,
    Step,
    new_id,
    now,
    pack_logprobs,
    pack_tokens,
    tokens_digest,
)

_RESPONSE_TOKENS = 32
_REST_BYTES = 600  # of a step, beside what it is filled up with


def conversation(trajectory_id: str, group_id: str, turns: int, step_bytes: int) -> Iterator[Step]:
    """``turns`` steps of about ``step_bytes`` each; messages and new prompt tokens share them as in ordinary text."""
    filling = max(0, step_bytes - _REST_BYTES)
    prompt = pack_tokens(np.arange(filling // 2 // TOKEN_BYTES + 1) % 30_000)
    response = pack_tokens(np.arange(_RESPONSE_TOKENS))
    history, prefix = b"", None
    for _ in range(turns):
        step = Step(
            step_id=new_id(),
            trajectory_id=trajectory_id,
            group_id=group_id,
            tenant="default",
            agent="",
            channel="train",
            turn_type="main",
            request_key=new_id(),
            attempt=1,
            received_at=now(),
            first_token_at=now(),
            finished_at=now(),
            new_messages_json='[{"role": "user", "content": "' + "x" * (filling // 2) + '"}]',
            tools_json=None,
            sampling_json="{}",
            text="an answer",
            reasoning=None,
            tool_calls_json=None,
            finish_reason="stop",
            prompt_prefix=prefix,
            prompt_tokens=prompt,
            response_tokens=response,
            response_logprobs=pack_logprobs(np.full(_RESPONSE_TOKENS, -0.5)),
            logprobs_mode="processed_logprobs",
            temperature=1.0,
            policy_spans=[PolicySpan(version=0, start=0, end=_RESPONSE_TOKENS)],
            node="synthetic",
            model="policy",
            prompt_token_count=len(history + prompt) // TOKEN_BYTES,
            response_token_count=_RESPONSE_TOKENS,
            trainable=True,
            untrainable_reason=None,
        )
        yield step
        history += prompt + response
        prefix = PromptPrefix(
            step_id=step.step_id, token_count=len(history) // TOKEN_BYTES, sha256=tokens_digest(history)
        )


def completed(trajectory_id: str, group_id: str, reward: float) -> Feedback:
    """The trajectory ends with ``reward``."""
    return Feedback(
        feedback_id=new_id(),
        trajectory_id=trajectory_id,
        group_id=group_id,
        tenant="default",
        channel=None,
        kind="completed",
        source="agent",
        reward=reward,
        at=now(),
    )
