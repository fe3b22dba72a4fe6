"""A trajectory as it went: its turns, and what was said of each. Pure.

Invariant: every record of the trajectory is in its story once; what is about a step is with its turn, what is about
none or about one that is not here is with the whole::

    turn 0 -> turn 1 -> turn 2        follows 0, 1
                    \\-> turn 3       follows 1: a branch
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from clawstream.console.index.reading import Kept
from clawstream.schemas import Feedback, NextState, Rejection, Reward, Sample, Step, Trajectory


@dataclass(kw_only=True)
class About:
    """What was said of a step, or of the whole."""

    rewards: list[Reward] = field(default_factory=list)
    feedback: list[Feedback] = field(default_factory=list)
    next_states: list[NextState] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)


@dataclass(kw_only=True)
class Turn(About):
    """A step, and what was said of it."""

    number: int  # from 0, in the log's order
    step: Step
    kept: Kept
    follows: int | None  # the turn that its prompt goes on from; None: written whole
    branches: bool  # it does not go on from the turn before


@dataclass(kw_only=True)
class Story:
    """A trajectory."""

    turns: list[Turn]
    whole: About
    closings: list[Trajectory]
    samples: list[Sample]

    def sample_of(self, step_id: str) -> Sample | None:
        """The sample that holds a step."""
        return next((sample for sample in self.samples if step_id in sample.step_ids), None)


def story(records: Sequence[Kept]) -> Story:
    """The story that ``records`` tell."""
    turns = _turns([(kept, kept.record) for kept in records if isinstance(kept.record, Step)])
    told = Story(turns=turns, whole=About(), closings=[], samples=[])
    of_step = {turn.step.step_id: turn for turn in turns}
    for kept in records:
        record = kept.record
        match record:
            case Reward() | Feedback() | NextState() | Rejection():
                _add(of_step.get(record.step_id or "", told.whole), record)
            case Trajectory():
                told.closings.append(record)
            case Sample():
                told.samples.append(record)
    return told


def _turns(steps: Sequence[tuple[Kept, Step]]) -> list[Turn]:
    turns, numbers = list[Turn](), dict[str, int]()
    for number, (kept, step) in enumerate(steps):
        follows = numbers.get(step.prompt_prefix.step_id) if step.prompt_prefix is not None else None
        branches = number > 0 and follows != number - 1
        turns.append(Turn(number=number, step=step, kept=kept, follows=follows, branches=branches))
        numbers[step.step_id] = number
    return turns


def _add(about: About, record: Reward | Feedback | NextState | Rejection) -> None:
    match record:
        case Reward():
            about.rewards.append(record)
        case Feedback():
            about.feedback.append(record)
        case NextState():
            about.next_states.append(record)
        case Rejection():
            about.rejections.append(record)
