"""Which known step a request goes on from, and why it does not where it does not; :func:`plan` decides, and is pure.

Invariant: exact tokens are reused only where every message before the known step's answer, that answer, the tools, the
template's settings and the model are the same; whatever else is rendered whole. Reasons begin with one word::

    known steps   a: [u1] -> a1      b: [u1 a1 u2] -> a2
    asked         [u1 a1 u2 a2 u3]   goes on from b
                  [u1 a1 u9]         goes on from a
                  [u1 a1 uX a9 u3]   goes on from a, edited: message 3 is an answer that no known step gave
                  [s1]               new: no message is an answer
"""

from collections.abc import Sequence

import msgspec

from clawstream.gateway.callers.identity import trajectory_of
from clawstream.gateway.chat.request import ChatRequest
from clawstream.gateway.metrics import CATCH_UPS
from clawstream.gateway.tokens.history import (
    digests,
    has_media,
    last_answer,
    own_prompt,
    settings_digest,
    tools_digest,
)
from clawstream.gateway.tokens.prefix import Known, PrefixStore
from clawstream.gateway.trajectories.handover import Handover
from clawstream.gateway.upstreams.provider import Provider


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How a request goes on."""

    known: Known | None = None  # from this step's tokens; None: it is rendered whole
    branch_reason: str | None = None  # why not from its last answer; None: it does, or nothing came before it


class Continuations:
    """Plans calls from what this process knows and, where that is not enough, from the log."""

    def __init__(self, store: PrefixStore, handover: Handover | None, provider: Provider | None = None) -> None:
        self._store, self._handover, self._provider = store, handover, provider

    async def plan(self, scope: str, asked: ChatRequest) -> Plan:
        """How ``asked`` goes on. Waits for the log only where an answer in its messages is not known here."""
        if self._provider is not None and self._provider.serves(asked.model):
            follows = last_answer(asked.messages) is not None
            return Plan(branch_reason=f"node: {self._provider.name} takes no tokens" if follows else None)
        if self._handover is None:
            return plan(asked, scope, self._store)
        self._handover.learn(scope)
        found = plan(asked, scope, self._store)
        if is_complete(found):
            return found
        reached = await self._handover.catch_up(trajectory_of(scope))
        CATCH_UPS.labels("yes" if reached else "no").inc()
        return plan(asked, scope, self._store) if self._handover.learn(scope) else found


def plan(asked: ChatRequest, scope: str, store: PrefixStore) -> Plan:
    """Decide for a request of the trajectory in ``scope``."""
    answer_at, steps = last_answer(asked.messages), store.steps(scope)
    if not steps:
        return Plan(branch_reason=None if answer_at is None else _unknown(trajectory_of(scope)))
    if answer_at is None:
        return Plan(branch_reason="new: no message is an answer, so this is a retry or another conversation")
    if (option := _unspliced(asked)) is not None:
        return Plan(branch_reason=option)
    return _choose(asked, answer_at, store.match(scope, digests(asked.messages)), len(steps))


def why_branched(planned: Plan, prompt: bytes, node: str, node_says: str | None, continues: bool) -> str | None:
    """The reason to record. ``continues``: the prompt begins with a known step's tokens, planned or not."""
    known = planned.known
    if known is not None and prompt and not prompt.startswith(known.tokens):
        why = node_says or "the prompt does not begin with its tokens"
        return f"node: {node} did not go on from step {known.step_id}: {why}"
    return None if known is None and continues else planned.branch_reason


def is_complete(found: Plan) -> bool:
    """Would more knowledge of the trajectory change nothing?"""
    return found.branch_reason is None or found.branch_reason.partition(":")[0] not in ("edited", "unknown")


def _choose(asked: ChatRequest, answer_at: int, matching: Sequence[Known], step_count: int) -> Plan:
    tools, settings = tools_digest(asked.tools), settings_digest(asked.sampling())
    same = [known for known in matching if known.tools == tools and known.settings == settings]
    if same:
        return Plan(known=same[0], branch_reason=_edited(same[0], answer_at))
    if not matching:
        return Plan(branch_reason=f"edited: the messages are not the history of any of {step_count} known steps")
    step = matching[0]
    if step.tools != tools:
        return Plan(branch_reason=f"tools: step {step.step_id} had other tools")
    return Plan(branch_reason=f"settings: step {step.step_id} had other settings of the chat template")


def _edited(known: Known, answer_at: int) -> str | None:
    if known.message_count == answer_at:
        return None
    return (
        f"edited: message {answer_at} is an answer that no known step gave to the messages before it; "
        f"the prompt goes on from step {known.step_id}"
    )


def _unknown(trajectory_id: str) -> str:
    return f"unknown: the messages hold an answer, but no step of trajectory {trajectory_id} is in memory"


def _unspliced(asked: ChatRequest) -> str | None:
    if has_media(asked.messages):
        return "media: the messages hold content parts other than text"
    option = own_prompt(asked.sampling())
    return None if option is None else f"option: {option} asks for a prompt of its own"
