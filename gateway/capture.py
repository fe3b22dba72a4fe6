"""One model call as a ``Step``. Pure but for the clock readings that it is given."""

import json
from dataclasses import dataclass, field
from datetime import datetime

from clawstream.gateway.answer import Answer
from clawstream.gateway.identity import Identity
from clawstream.gateway.integrity import untrainable_reason
from clawstream.gateway.prefix import Continued
from clawstream.gateway.request import ChatRequest
from clawstream.schemas import TOKEN_BYTES, NodeStatus, Step, new_id, now, pack_logprobs, pack_tokens

TENANT = "default"


@dataclass(kw_only=True)
class Call:
    """A call in progress."""

    identity: Identity
    request: ChatRequest
    channel: str
    node: NodeStatus
    step_id: str = field(default_factory=new_id)
    received_at: datetime = field(default_factory=now)
    first_token_at: datetime | None = None
    answer: Answer = field(default_factory=Answer)

    def full_prompt(self) -> bytes:
        """Packed ids of the whole prompt; empty when the node sent none."""
        return pack_tokens(self.answer.prompt_ids or ())

    def continued(self) -> Continued:
        """This call as one that later prompts may continue."""
        return Continued(
            step_id=self.step_id,
            tokens=self.full_prompt() + pack_tokens(self.answer.token_ids),
            messages=self.request.messages,
            tools_json=self.request.tools_json,
        )

    def step(self, earlier: Continued | None) -> Step:
        """The record; ``earlier`` is the step that the prompt continues."""
        answer, identity, request = self.answer, self.identity, self.request
        prompt, tools = self.full_prompt(), request.tools_json
        reason = untrainable_reason(answer, turn_type=identity.turn_type, temperature=request.temperature)
        messages = earlier.new_messages(request.messages) if earlier else request.messages
        return Step(
            step_id=self.step_id,
            trajectory_id=identity.trajectory_id,
            group_id=identity.group_id,
            tenant=TENANT,
            agent=identity.agent,
            channel=self.channel,
            turn_type=identity.turn_type,
            request_key=identity.request_key,
            attempt=identity.attempt,
            received_at=self.received_at,
            first_token_at=self.first_token_at,
            finished_at=now(),
            new_messages_json=json.dumps(messages, ensure_ascii=False),
            tools_json=None if earlier and earlier.tools_json == tools else tools,
            sampling_json=request.sampling_json,
            text=answer.text,
            reasoning=answer.reasoning or None,
            tool_calls_json=json.dumps(answer.calls(), ensure_ascii=False) if answer.tool_calls else None,
            finish_reason=answer.finish_reason or "abort",
            prompt_prefix=earlier.prefix() if earlier else None,
            prompt_tokens=prompt[len(earlier.tokens) :] if earlier else prompt,
            response_tokens=pack_tokens(answer.token_ids),
            response_logprobs=pack_logprobs(answer.logprobs),
            logprobs_mode=self.node.logprobs_mode,
            temperature=request.temperature,
            policy_spans=answer.spans or [],
            node=self.node.node,
            model=self.node.model,
            prompt_token_count=len(prompt) // TOKEN_BYTES,
            response_token_count=len(answer.token_ids),
            trainable=reason is None,
            untrainable_reason=reason,
        )
