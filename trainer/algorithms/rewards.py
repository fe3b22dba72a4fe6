"""Rewards and hints of single steps. Pure.

Invariant: of each source the newest word counts; several sources are averaged, as votes are (OpenClaw-RL). A step of
which nobody said anything has no entry: missing is never zero.
"""

from collections import defaultdict
from statistics import fmean

from clawstream.schemas import Sample


def step_rewards(sample: Sample) -> dict[str, float]:
    """The reward of each step that has one, by step id."""
    newest: dict[str, dict[str, float]] = defaultdict(dict)
    for reward in sorted(sample.rewards, key=lambda reward: reward.at):
        if reward.kind == "process" and reward.step_id is not None and reward.value is not None:
            newest[reward.step_id][reward.source] = reward.value
    return {step_id: fmean(of_sources.values()) for step_id, of_sources in newest.items()}


def evaluated_steps(sample: Sample) -> dict[str, float]:
    """The same; where no step has a reward of its own, the outcome is every step's."""
    return step_rewards(sample) or dict.fromkeys(sample.step_ids, sample.reward)


def recorded_teacher(sample: Sample) -> dict[str, bytes]:
    """Of each step that the processors' teacher has rated: its packed log-probabilities, under the longest hint."""
    found: dict[str, tuple[str, bytes]] = {}
    for reward in sample.rewards:
        if reward.step_id is not None and reward.hint and reward.teacher_logprobs is not None:
            rated = (reward.hint, reward.teacher_logprobs)
            found[reward.step_id] = max(found.get(reward.step_id, ("", b"")), rated, key=lambda each: len(each[0]))
    return {step_id: logprobs for step_id, (_, logprobs) in found.items()}


def hints(sample: Sample) -> dict[str, str]:
    """The hint of each step that has one: the longest, as in OpenClaw-RL. An empty hint is none."""
    found: dict[str, str] = {}
    for reward in sample.rewards:
        if reward.step_id is not None and reward.hint:
            found[reward.step_id] = max(found.get(reward.step_id, ""), reward.hint, key=len)
    return found
