"""The life of a trajectory, event by event. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from clawstream.console.index.reading import Outcome
from clawstream.console.index.summary import curated
from clawstream.console.stories.story import Story
from clawstream.schemas import Feedback, Reward, Sample, UpdateReport


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened to it."""

    at: datetime
    what: str
    detail: str = ""
    icon: str  # of Material icons
    color: str = "primary"


def timeline(story: Story, outcomes: Sequence[Outcome], updates: Sequence[UpdateReport]) -> list[Event]:
    """Everything in order of time."""
    found = [*_sampled(story), *_said(story), *_ended(story), *_used(story, outcomes, updates)]
    return sorted(found, key=lambda event: event.at)


def _sampled(story: Story) -> Iterator[Event]:
    for turn in story.turns:
        versions = sorted({span.version for span in turn.step.policy_spans})
        by = f" by version {', '.join(map(str, versions))}" if versions else ""
        detail = f"{turn.step.response_token_count} tokens{by} on {turn.step.node or 'no node'}"
        yield Event(at=turn.step.finished_at, what=f"turn {turn.number} sampled", detail=detail, icon="smart_toy")
        for state in turn.next_states:
            yield Event(at=state.at, what=f"turn {turn.number} was followed", detail=state.kind, icon="reply")


def _said(story: Story) -> Iterator[Event]:
    for about, where in [(story.whole, ""), *((turn, f"turn {turn.number}: ") for turn in story.turns)]:
        for feedback in about.feedback:
            yield _statement(feedback, where)
        for reward in about.rewards:
            yield _judged(reward, where)


def _statement(feedback: Feedback, where: str) -> Event:
    icons = {
        "opened": "play_arrow",
        "completed": "flag",
        "aborted": "cancel",
        "curated": "gavel",
        "observed": "visibility",
    }
    reward = "" if feedback.reward is None else f", reward {feedback.reward:g}"
    detail = f"by {feedback.source}{reward}"
    if feedback.kind == "curated":
        detail += "".join(f"; {name}: {value}" for name, value in curated(feedback).items())
    color = "accent" if feedback.kind == "curated" else "primary"
    return Event(
        at=feedback.at,
        what=f"{where}{feedback.kind}",
        detail=detail,
        icon=icons.get(feedback.kind, "grade"),
        color=color,
    )


def _judged(reward: Reward, where: str) -> Event:
    value = "unscored" if reward.value is None else f"{reward.value:g}"
    votes = f", {len(reward.votes)} votes" if reward.votes else ""
    hint = ", with a hint" if reward.hint else ""
    detail = f"{value} by {reward.source} ({reward.kind}{votes}{hint})"
    return Event(at=reward.at, what=f"{where}judged", detail=detail, icon="balance", color="secondary")


def _ended(story: Story) -> Iterator[Event]:
    for closing in story.closings:
        what = "amended" if closing.amends else "sealed"
        detail = f"{closing.closed_by}; {len(closing.step_ids)} steps may train, {len(closing.rewards)} rewards joined"
        yield Event(at=closing.closed_at, what=what, detail=detail, icon="lock")
    for about, where in [(story.whole, ""), *((turn, f"turn {turn.number} ") for turn in story.turns)]:
        for rejection in about.rejections:
            detail = f"{rejection.reason}: {rejection.detail}"
            yield Event(at=rejection.at, what=f"{where}rejected", detail=detail, icon="block", color="negative")


def _used(story: Story, outcomes: Sequence[Outcome], updates: Sequence[UpdateReport]) -> Iterator[Event]:
    reports = {report.update_id: report for report in updates}
    for sample in story.samples:
        detail = f"reward {sample.reward:g}; group of {sample.group.size}, mean {sample.group.reward_mean:.3g}"
        yield Event(at=sample.ready_at, what="ready", detail=detail, icon="inventory_2", color="positive")
        for outcome in outcomes:
            if outcome.sample_id == sample.sample_id and (report := reports.get(outcome.update_id)) is not None:
                yield _used_by(sample, outcome, report)


def _used_by(sample: Sample, outcome: Outcome, report: UpdateReport) -> Event:
    lag = report.parent - min(span.version for sequence in sample.sequences for span in sequence.policy_spans)
    why = next((each.reason for each in report.discarded if each.sample_id == sample.sample_id), "")
    what = f"{outcome.status} in update {outcome.version}" if not why else f"discarded by update {outcome.version}"
    detail = why or f"at lag {lag}, with {len(report.sample_ids)} samples"
    color = "negative" if why else "positive"
    return Event(at=report.at, what=what, detail=detail, icon="model_training", color=color)
