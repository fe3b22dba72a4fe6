"""Steps that are ready one by one, as soon as they are judged: live learning. Pure.

Invariant: what a step's sample holds is decided once, with the rewards that it had then, and kept before it is put out;
each step of a trajectory is in its own sample, or rejected::

    s1 answered -> s2 arrives, and with it what followed s1 -> judged -> the sample of s1, while s2 is being answered
    completed: nothing followed s2, so it is rejected
"""

from collections.abc import Callable
from collections.abc import Sequence as Sized

from msgspec.structs import replace

from clawstream.processors.joins.combining import combined, values
from clawstream.processors.readiness import filters, jobs
from clawstream.processors.readiness.assembly import Decided, TrajectoryState
from clawstream.processors.readiness.output import Output, rejection
from clawstream.processors.rewards.scorer import Scorer
from clawstream.processors.settings import ProcessorsSettings
from clawstream.schemas import GroupStatistics, Reward, Sample, Step, derived_id
from clawstream.schemas.reading.curation import excluded
from clawstream.schemas.reading.sequences import resolve, without
from clawstream.topics import SAMPLES


def decided(
    state: TrajectoryState,
    newest_for: Callable[[str], int | None],
    settings: ProcessorsSettings,
    scorers: Sized[Scorer],
) -> TrajectoryState:
    """``state`` with a decision for each step that has become ready. ``newest_for``: of a step, the newest version of
    the model that sampled it, where that is known and matters."""
    known = {decision.step_id for decision in state.decided}
    waiting = {job.step_id for job in jobs.of_steps(state, scorers)}
    followed = {step_id for step_id, _ in state.followed}
    needs_next = any(scorer.over == "next_state" for scorer in scorers)
    added = []
    for step_id in state.step_ids:
        if step_id in known or step_id in waiting or (needs_next and step_id not in followed):
            continue
        found = values(state.rewards, "process", step_id)
        reward = combined(found, settings.reward_rule, settings.weights)
        if reward is not None and all(source in found for source in settings.required_sources):
            reward_ids = tuple(given.reward_id for given in state.rewards if given.step_id == step_id)
            gone = excluded(state.curations, state.step_ids).get(step_id)
            decision = Decided(
                step_id=step_id,
                reward=reward,
                reward_ids=reward_ids,
                version=newest_for(step_id),
                excluded_by=gone,
            )
            added.append(decision)
    return replace(state, decided=(*state.decided, *added)) if added else state


def put_out(
    state: TrajectoryState,
    decision: Decided,
    chain: list[Step],
    rewards: list[Reward],
    settings: ProcessorsSettings,
) -> list[Output]:
    """The sample of a step that was decided on, or why there is none. ``chain``: what it goes on from, and itself;
    ``rewards``: the whole rewards of the decision."""
    channel = state.channel or chain[-1].channel
    step = replace(chain[-1], channel=channel)
    if decision.excluded_by is not None:
        return [rejection(step, "curated", f"{decision.excluded_by} took it out")]
    resolved = resolve(chain)
    for refusal in resolved.refusals:
        if refusal.step.step_id == step.step_id:
            return [rejection(step, refusal.reason, refusal.detail)]
    others = [other.step_id for other in chain[:-1]]
    sequences = [
        without(sequence, others)
        for sequence in resolved.sequences
        if any(span.step_id == step.step_id for span in sequence.responses)
    ]
    newest = {} if decision.version is None else {step.model: decision.version}
    refused = filters.refused(sequences, decision.reward, newest, settings)
    if refused is not None:
        return [rejection(step, *refused)]
    alone = GroupStatistics(size=1, expected_size=1, reward_mean=decision.reward, reward_std=0.0, closed_by="complete")
    sample = Sample(
        sample_id=derived_id("sample", state.tenant, state.trajectory_id, step.step_id),
        trajectory_id=state.trajectory_id,
        group_id=state.group_id,
        tenant=state.tenant,
        agent=state.agent,
        channel=channel,
        step_ids=[step.step_id],
        sequences=sequences,
        reward=decision.reward,
        rewards=rewards,
        group=alone,
        logprobs_mode=step.logprobs_mode,
        ready_at=max((reward.at for reward in rewards), default=step.finished_at),
    )
    return [Output(SAMPLES, sample)]


def left_over(state: TrajectoryState, steps: list[Step]) -> list[Output]:
    """At closing: why the steps that were never ready do not train."""
    known = {decision.step_id for decision in state.decided}
    unscored = {reward.step_id: reward.unscored for reward in state.rewards if reward.unscored}
    outputs = []
    for step in steps:
        if step.step_id in known:
            continue
        if not step.trainable:
            reason, _, detail = (step.untrainable_reason or "untrainable").partition(": ")
            outputs.append(rejection(step, reason, detail or reason))
        elif state.closed_by == "aborted":
            outputs.append(rejection(step, "aborted", "its trajectory was aborted"))
        else:
            followed = any(step_id == step.step_id for step_id, _ in state.followed)
            why = unscored.get(step.step_id) or ("nobody rewarded it" if followed else "nothing followed it")
            outputs.append(rejection(step, "reward_missing", f"its trajectory closed ({state.closed_by}): {why}"))
    return outputs
