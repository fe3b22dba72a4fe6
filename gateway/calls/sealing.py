"""Sealing: a call counts as answered once its step is acknowledged by Kafka.

Invariant: a sealed step's prefix was sealed before it, and nothing goes on from a step that is not sealed.
"""

import asyncio
import time

from clawstream.gateway.calls.record import Call, Sampled, step_of
from clawstream.gateway.chat.answer import Answer
from clawstream.gateway.errors import ApiError
from clawstream.gateway.log.blobs import Blobs
from clawstream.gateway.log.ledger import NOT_RECORDED, Ledger
from clawstream.gateway.metrics import (
    BRANCHES,
    FIRST_TOKEN_SECONDS,
    SEAL_SECONDS,
    UNRECORDED,
    UNTRAINABLE,
    steps_recorded,
)
from clawstream.gateway.tokens.history import answer_message, has_media
from clawstream.gateway.tokens.integrity import Ended, is_exact
from clawstream.gateway.tokens.media import NO_MEDIA, media_digests
from clawstream.gateway.tokens.prefix import PrefixStore, known_of, shorten
from clawstream.schemas import NodeStatus, Step, pack_tokens
from clawstream.topics import STEPS


class Sealer:
    """Records calls."""

    def __init__(self, ledger: Ledger, prefixes: PrefixStore, blobs: Blobs | None, *, serves_unrecorded: bool) -> None:
        """``blobs``: ``None``: steps keep all content; ``serves_unrecorded``: calls are answered also while Kafka is
        out."""
        self._ledger, self._prefixes, self._blobs = ledger, prefixes, blobs
        self.serves_unrecorded = serves_unrecorded

    async def seal(self, call: Call, answer: Answer, node: NodeStatus, ended: Ended | None = None) -> bool:
        """Return True once the call's step is in the log, False when its answer is to be given without.

        Raises ``ApiError`` as ``Ledger.write`` does.
        """
        prompt, messages = pack_tokens(answer.prompt_ids or ()), call.asked.messages
        media = await asyncio.to_thread(media_digests, messages) if has_media(messages) else None
        known = self._prefixes.find(call.caller.scope, prompt)
        stored = shorten(prompt, messages, call.asked.tools, known, media)
        sampled = Sampled(answer=answer, prompt=prompt, node=node, ended=ended)
        step, flaw = step_of(call, sampled, stored)
        started = time.perf_counter()
        if not await self._record(step, has_media=media is not None):
            return False
        SEAL_SECONDS.observe(time.perf_counter() - started)
        steps_recorded(step.turn_type, "no" if step.prompt_prefix is None else "yes").inc()
        if step.branch_reason is not None:
            BRANCHES.labels(step.branch_reason.partition(":")[0]).inc()
        if step.first_token_at is not None:
            FIRST_TOKEN_SECONDS.observe((step.first_token_at - step.received_at).total_seconds())
        if flaw is not None:
            UNTRAINABLE.labels(flaw.kind).inc()
        if step.turn_type == "main" and is_exact(step.untrainable_reason):
            self._remember(call, answer, step, prompt, NO_MEDIA if media is None else media[-1])
        return True

    async def _record(self, step: Step, *, has_media: bool) -> bool:
        try:
            if has_media and self._blobs is not None:
                step = await self._blobs.apart(step)
            if self.serves_unrecorded and self._ledger.is_out:
                self._ledger.offer(STEPS, step)
                UNRECORDED.labels("served").inc()
                return False
            await self._ledger.write(STEPS, step)
        except ApiError as error:
            served = self.serves_unrecorded and error.code == NOT_RECORDED
            UNRECORDED.labels("served" if served else "refused").inc()
            if not served:
                raise
            return False
        return True

    def _remember(self, call: Call, answer: Answer, step: Step, prompt: bytes, media: bytes) -> None:
        known = known_of(
            step.step_id,
            prompt + step.response_tokens,
            call.asked.messages,
            answer_message(answer.text, answer.tool_messages),
            call.asked.tools,
            call.asked.sampling(),
            step.model,
            media,
        )
        self._prefixes.remember(call.caller.scope, known)
