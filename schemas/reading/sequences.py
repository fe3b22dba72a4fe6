"""Steps of one trajectory as linear sequences of tokens. Pure.

Invariant: over all sequences each trainable step is marked in ``responses`` exactly once, so it is trained once; its
tokens are the sampled ones. Steps that continue each other form one sequence; a branch makes another that repeats the
shared tokens::

    steps       a (prompt p)   b continues a   c continues a        (an edit of b's request)
    sequences   p a t b        p a u c
    responses     a   b              c

What does not train makes no branch: were b cut off, ``p a u c`` alone would be laid out, with a and c to train.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import numpy as np
from msgspec.structs import replace

from clawstream.schemas import (
    TOKEN_BYTES,
    PolicySpan,
    ResponseSpan,
    Sequence,
    Step,
    pack_logprobs,
    tokens_digest,
    unpack_logprobs,
)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A step that cannot be in a sequence."""

    step: Step
    reason: str
    detail: str


@dataclass(kw_only=True)
class Resolved:
    """Sequences, the steps in them, and the steps that are not."""

    sequences: list[Sequence] = field(default_factory=list)
    step_ids: list[str] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class _Node:
    """A step with its whole prompt."""

    step: Step
    prompt: bytes
    parent: str | None

    @property
    def tokens(self) -> bytes:
        return self.prompt + self.step.response_tokens


def resolve(steps: list[Step]) -> Resolved:
    """Lay out ``steps`` (in log order) as sequences."""
    resolved, nodes = Resolved(), dict[str, _Node]()
    for step in in_order(steps):
        node = _place(step, nodes)
        if isinstance(node, Refusal):
            resolved.refusals.append(node)
        else:
            nodes[step.step_id] = node
            if not step.trainable:
                reason, _, detail = (step.untrainable_reason or "untrainable").partition(": ")
                resolved.refusals.append(Refusal(step=step, reason=reason, detail=detail or reason))
    superseded = _superseded(nodes)
    resolved.refusals += superseded
    left_out = {refusal.step.step_id for refusal in resolved.refusals}
    trainable = {step_id for step_id in nodes if step_id not in left_out}
    continued = _ahead_of(trainable, nodes)
    for step_id in [each for each in nodes if each in trainable and each not in continued]:
        _add_sequence(_chain(nodes, step_id), trainable, resolved)
    return resolved


def in_order(steps: list[Step]) -> list[Step]:
    """``steps`` as they are, but none before the step that it goes on from, which may have come late."""
    by_id, placed = {step.step_id: step for step in steps}, dict[str, Step]()
    for step in steps:
        ahead, at = [step], step.prompt_prefix
        while at is not None and at.step_id in by_id and at.step_id not in placed and by_id[at.step_id] not in ahead:
            ahead.append(by_id[at.step_id])
            at = ahead[-1].prompt_prefix
        placed.update((one.step_id, one) for one in reversed(ahead))
    return list(placed.values())


def without(sequence: Sequence, step_ids: Collection[str]) -> Sequence:
    """``sequence`` with the same tokens, of which those of ``step_ids`` are not to be trained any more."""
    responses = [span for span in sequence.responses if span.step_id not in step_ids]
    gone = [span for span in sequence.responses if span.step_id in step_ids]
    logprobs = unpack_logprobs(sequence.logprobs).copy()
    for span in gone:
        logprobs[span.start : span.end] = 0.0
    versions = [v for v in sequence.policy_spans if not any(span.start <= v.start < span.end for span in gone)]
    return replace(sequence, logprobs=pack_logprobs(logprobs), responses=responses, policy_spans=versions)


def sampled_by(sequence: Sequence) -> Iterator[tuple[str, str, int]]:
    """Step, model and version of every run of sampled tokens; each model counts versions of its own."""
    for response in sequence.responses:
        for span in sequence.policy_spans:
            if response.start <= span.start < response.end:
                yield response.step_id, response.model, span.version


def _place(step: Step, nodes: dict[str, _Node]) -> _Node | Refusal:
    counts = (len(step.response_tokens), len(step.response_logprobs))
    if step.trainable and (counts[0] != counts[1] or counts[0] % TOKEN_BYTES):
        detail = f"it has {counts[0]} bytes of token ids and {counts[1]} of log-probabilities"
        return Refusal(step=step, reason="mismatch", detail=detail)
    prefix = step.prompt_prefix
    if prefix is None:
        return _Node(step=step, prompt=step.prompt_tokens, parent=None)
    parent = nodes.get(prefix.step_id)
    if parent is None:
        detail = f"it continues step {prefix.step_id}, which is not in the trajectory"
        return Refusal(step=step, reason="broken_prefix", detail=detail)
    count = len(parent.tokens) // TOKEN_BYTES
    if count != prefix.token_count or tokens_digest(parent.tokens) != prefix.sha256:
        detail = f"it continues {prefix.token_count} tokens of step {prefix.step_id}, which has {count} or other ones"
        return Refusal(step=step, reason="broken_prefix", detail=detail)
    return _Node(step=step, prompt=parent.tokens + step.prompt_tokens, parent=prefix.step_id)


def _superseded(nodes: dict[str, _Node]) -> list[Refusal]:
    """Of the tries of one call, all but one: that which was continued, else the last.

    Tries are trainable steps with the same request key, or with the same prompt where a later one says that it is a
    retry. Whoever asks twice on purpose has two answers, and a step is no try of one that it goes on from.
    """
    continued = {node.parent for node in nodes.values()}
    calls: list[list[_Node]] = []
    by_prompt: dict[bytes, list[list[_Node]]] = {}
    by_key: dict[str, list[_Node]] = {}
    for node in (node for node in nodes.values() if node.step.trainable):
        asked = by_prompt.setdefault(node.prompt, [])
        tries = _same_key(node, by_key, nodes) or _repeated(node, asked)
        if tries is None:
            tries = []
            calls.append(tries)
            asked.append(tries)
        tries.append(node)
        by_key[node.step.request_key] = tries
    refusals = []
    for tries in calls:
        kept = next((node for node in reversed(tries) if node.step.step_id in continued), tries[-1])
        detail = f"step {kept.step.step_id} answers the same call"
        refusals += [Refusal(step=node.step, reason="superseded", detail=detail) for node in tries if node is not kept]
    return refusals


def _same_key(node: _Node, by_key: dict[str, list[_Node]], nodes: dict[str, _Node]) -> list[_Node] | None:
    """The tries that have the request key of ``node``, whose prompts may have been rendered otherwise."""
    tries = by_key.get(node.step.request_key)
    if tries is None:
        return None
    before = {earlier.step.step_id for earlier in _chain(nodes, node.step.step_id)[:-1]}
    return None if any(earlier.step.step_id in before for earlier in tries) else tries


def _repeated(node: _Node, asked: list[list[_Node]]) -> list[_Node] | None:
    """Of the calls with the prompt of ``node``, the last that it says it is a retry of."""
    return next((tries for tries in reversed(asked) if node.step.attempt > tries[-1].step.attempt), None)


def _ahead_of(step_ids: Collection[str], nodes: dict[str, _Node]) -> set[str]:
    """All steps that ``step_ids`` go on from."""
    ahead = set[str]()
    for step_id in step_ids:
        at = nodes[step_id].parent
        while at is not None and at not in ahead:
            ahead.add(at)
            at = nodes[at].parent
    return ahead


def _chain(nodes: dict[str, _Node], leaf: str) -> list[_Node]:
    """From the first step to ``leaf``."""
    chain, at = [], nodes.get(leaf)
    while at is not None:
        chain.append(at)
        at = nodes.get(at.parent) if at.parent is not None else None
    return chain[::-1]


def _add_sequence(chain: list[_Node], trainable: set[str], resolved: Resolved) -> None:
    """The tokens of ``chain``, in which those are marked that are ``trainable`` still; its last step is."""
    new = [node for node in chain if node.step.step_id in trainable]
    tokens = new[-1].tokens
    logprobs = np.zeros(len(tokens) // TOKEN_BYTES, dtype="<f4")
    responses, spans = [], []
    for node in new:
        step, start = node.step, len(node.prompt) // TOKEN_BYTES
        end = start + len(step.response_tokens) // TOKEN_BYTES
        logprobs[start:end] = unpack_logprobs(step.response_logprobs)
        span = ResponseSpan(step_id=step.step_id, start=start, end=end, temperature=step.temperature, model=step.model)
        responses.append(span)
        spans += [PolicySpan(version=s.version, start=s.start + start, end=s.end + start) for s in step.policy_spans]
        trainable.remove(step.step_id)
        resolved.step_ids.append(step.step_id)
    resolved.sequences.append(
        Sequence(tokens=tokens, logprobs=pack_logprobs(logprobs), responses=responses, policy_spans=spans)
    )
