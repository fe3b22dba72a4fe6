"""The rows of a trajectory. Pure.

Invariant: a row holds nothing that a reviewer took out and nothing that is forgotten, and what is left out is named
with its reason. From samples come the very sequences that train; from steps those that the processors would lay out.
"""

from collections.abc import Iterator
from itertools import chain as chained

import msgspec
from msgspec.structs import replace

from clawstream.dataset.conversation import chain, messages_of, tools_of
from clawstream.dataset.facts import Facts
from clawstream.dataset.manifest import Recipe
from clawstream.dataset.row import Row, Said
from clawstream.schemas import TOKEN_BYTES, Reward, Sample, Sequence, derived_id
from clawstream.schemas.reading.sequences import resolve, without

LeftOut = str  # why there is no row


def rows_of(facts: Facts, recipe: Recipe) -> Iterator[Row | LeftOut]:
    """Every row of a trajectory, or why it is none."""
    if facts.forgotten or {facts.tenant, f"{facts.tenant}/{facts.trajectory_id}"} & set(recipe.forgotten):
        yield from ["forgotten"] * max(1, len(facts.samples))
    elif recipe.rows_from == "samples":
        yield from chained.from_iterable(_of_sample(facts, sample, recipe) for sample in facts.samples.values())
    else:
        yield from _of_steps(facts, recipe)


def _of_sample(facts: Facts, sample: Sample, recipe: Recipe) -> Iterator[Row | LeftOut]:
    gone = set(facts.excluded())
    for number, sequence in enumerate(sample.sequences):
        kept = without(sequence, gone) if gone & {span.step_id for span in sequence.responses} else sequence
        yield _row(facts, kept, number, sample, recipe) if kept.responses else "curated"


def _of_steps(facts: Facts, recipe: Recipe) -> Iterator[Row | LeftOut]:
    gone = facts.excluded()
    steps = [
        replace(step, trainable=False, untrainable_reason="curated") if step.step_id in gone else step
        for step in facts.steps.values()
        if step.turn_type == "main"
    ]
    resolved = resolve(steps)
    yield from (refusal.reason for refusal in resolved.refusals)
    sample = next(iter(facts.samples.values())) if len(facts.samples) == 1 else None
    for number, sequence in enumerate(resolved.sequences):
        yield _row(facts, sequence, number, sample, recipe)


def _row(facts: Facts, sequence: Sequence, number: int, sample: Sample | None, recipe: Recipe) -> Row | LeftOut:
    steps = chain(facts.steps, sequence.responses[-1].step_id)
    if steps is None:
        return "steps missing"
    first, last = steps[0], steps[-1]
    rewards = sorted(facts.rewards.values(), key=lambda reward: (reward.at, reward.reward_id))
    made_of = sample.sample_id if sample and recipe.rows_from == "samples" else "steps"
    versions = [span.version for span in sequence.policy_spans]
    return Row(
        row_id=derived_id("row", facts.tenant, facts.trajectory_id, made_of, str(number)),
        tenant=facts.tenant,
        group_id=sample.group_id if sample else first.group_id,
        trajectory_id=facts.trajectory_id,
        sample_id=sample.sample_id if sample else None,
        sequence=number,
        agent=sample.agent if sample else first.agent,
        channel=sample.channel if sample else facts.channel or first.channel,
        model=last.model,
        node=last.node,
        messages_json=msgspec.json.encode(messages_of(steps)).decode(),
        tools_json=tools_of(steps),
        metadata_json=facts.metadata_json,
        ended_by=facts.ended_by,
        finish_reason=last.finish_reason,
        tokens=sequence.tokens,
        logprobs=sequence.logprobs,
        logprobs_mode=last.logprobs_mode,
        responses=sequence.responses,
        policy_spans=sequence.policy_spans,
        policy_version_min=min(versions, default=None),
        policy_version_max=max(versions, default=None),
        token_count=len(sequence.tokens) // TOKEN_BYTES,
        response_token_count=sum(span.end - span.start for span in sequence.responses),
        turn_count=len(sequence.responses),
        reward=_reward(rewards, sample, recipe),
        rewards=[_said(reward) for reward in rewards],
        group_size=sample.group.size if sample else None,
        group_reward_mean=sample.group.reward_mean if sample else None,
        group_reward_std=sample.group.reward_std if sample else None,
        tags=facts.tags,
        quality=facts.quality,
        sources=[facts.places[step.step_id] for step in steps],
        started_at=first.received_at,
        finished_at=last.finished_at,
    )


def _reward(rewards: list[Reward], sample: Sample | None, recipe: Recipe) -> float | None:
    """What counts as the row's reward; ``rewards`` from old to new."""
    if recipe.reward_source is None:
        return sample.reward if sample else None
    own = [reward.value for reward in rewards if reward.source == recipe.reward_source and reward.kind == "outcome"]
    said = [value for value in own if value is not None]
    return said[-1] if said else None


def _said(reward: Reward) -> Said:
    return Said(source=reward.source, kind=reward.kind, step_id=reward.step_id, value=reward.value, hint=reward.hint)
