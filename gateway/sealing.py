"""Sealing: a call counts as answered once its step is acknowledged by Kafka.

Invariant: a sealed step's prefix was sealed before it.
"""

import time

from clawstream.gateway.answer import Answer
from clawstream.gateway.history import answer_message
from clawstream.gateway.integrity import Ended, is_exact
from clawstream.gateway.ledger import Ledger
from clawstream.gateway.metrics import (
    BRANCHES,
    FIRST_TOKEN_SECONDS,
    PREFIX_TOKENS,
    SEAL_SECONDS,
    STEPS_RECORDED,
    UNTRAINABLE,
)
from clawstream.gateway.prefix import PrefixStore, known_of, shorten
from clawstream.gateway.record import Call, Sampled, step_of
from clawstream.schemas import NodeStatus, Step, pack_tokens
from clawstream.topics import STEPS


class Sealer:
    """Records calls."""

    def __init__(self, ledger: Ledger, prefixes: PrefixStore) -> None:
        self._ledger, self._prefixes = ledger, prefixes

    async def seal(self, call: Call, answer: Answer, node: NodeStatus, ended: Ended | None = None) -> None:
        """Return once the call's step is in the log. Raises ``ApiError`` 503 when it is not."""
        prompt = pack_tokens(answer.prompt_ids or ())
        known = self._prefixes.find(call.caller.scope, prompt)
        stored = shorten(prompt, call.asked.messages, call.asked.tools, known)
        sampled = Sampled(answer=answer, prompt=prompt, node=node, ended=ended)
        step, flaw = step_of(call, sampled, stored)
        started = time.perf_counter()
        await self._ledger.write(STEPS, step)
        SEAL_SECONDS.observe(time.perf_counter() - started)
        STEPS_RECORDED.labels(step.turn_type, "no" if step.prompt_prefix is None else "yes").inc()
        if step.branch_reason is not None:
            BRANCHES.labels(step.branch_reason.partition(":")[0]).inc()
        if step.first_token_at is not None:
            FIRST_TOKEN_SECONDS.observe((step.first_token_at - step.received_at).total_seconds())
        if flaw is not None:
            UNTRAINABLE.labels(flaw.kind).inc()
        if step.turn_type == "main" and is_exact(step.untrainable_reason):
            self._remember(call, answer, step, prompt)

    def _remember(self, call: Call, answer: Answer, step: Step, prompt: bytes) -> None:
        known = known_of(
            step.step_id,
            prompt + step.response_tokens,
            call.asked.messages,
            answer_message(answer.text, answer.tool_messages),
            call.asked.tools,
            call.asked.sampling(),
            step.model,
        )
        self._prefixes.remember(call.caller.scope, known)
        PREFIX_TOKENS.set(self._prefixes.token_count)
