"""What a reviewer decides, as statements for the gateway. Pure.

Invariant: each says who and why, and changes only what it names. Undoing one is another statement, which says again
what held before::

    reject "wrong tool" by ana     curated {trainable: false, quality: incorrect, note: "wrong tool"}
    undone by ben                  curated {trainable: true, quality: unreviewed, note: "undoes 0198…"}
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from clawstream.console.index.summary import curated
from clawstream.schemas import Feedback

Decision = Literal["accept", "reject", "reward", "tag", "hint"]
_PREFIX = "console/"
_RESTORED = ("trainable", "tags")


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is decided about."""

    trajectory_id: str
    group_id: str
    step_id: str | None = None  # None: the whole trajectory


@dataclass(frozen=True, kw_only=True)
class Word:
    """A decision, by whom and why."""

    decision: Decision
    person: str
    why: str = ""
    reward: float | None = None
    tags: str = ""  # separated by spaces
    hint: str = ""

    def problem(self) -> str | None:
        """Why it cannot be said; ``None`` where it can."""
        if not self.person.strip():
            return "Say who you are"
        if self.decision == "reward" and self.reward is None:
            return "Give a reward"
        if self.decision == "hint" and not self.hint.strip():
            return "Write a hint"
        if self.decision == "reject" and not self.why.strip():
            return "Say why it must not train"
        return None


def statements(word: Word, subjects: Sequence[Subject], key: str) -> list[dict[str, Any]]:
    """``word`` on each of ``subjects``. ``key``: of this word; said again, it is the same statement."""
    return [_about(subject, word.person, f"{key}-{number}") | _said(word) for number, subject in enumerate(subjects)]


def undone(statement: Feedback, earlier: Sequence[Feedback], person: str, key: str) -> dict[str, Any] | None:
    """What takes ``statement`` back, after ``earlier`` ones in order; ``None`` where nothing can: a first reward."""
    subject = Subject(trajectory_id=statement.trajectory_id, group_id=statement.group_id, step_id=statement.step_id)
    about = _about(subject, person, key)
    note = f"undoes {statement.feedback_id}"
    same = [each for each in earlier if each.kind == statement.kind and each.step_id == statement.step_id]
    if statement.kind == "rewarded":
        before = [each.reward for each in same if each.source == statement.source and each.reward is not None]
        restored = {"source": statement.source, "reward": before[-1], "detail": {"note": note}} if before else None
        return None if restored is None else about | {"kind": "rewarded"} | restored
    said = curated(statement)
    if not any(name in said for name in _RESTORED):
        return None
    detail: dict[str, Any] = {"note": note}
    if "trainable" in said:
        before_it = [value for each in same if isinstance(value := curated(each).get("trainable"), bool)]
        detail |= {"trainable": before_it[-1] if before_it else True}
        detail |= {} if before_it else {"quality": "unreviewed"}
    if "tags" in said:
        lists = [value for each in same if isinstance(value := curated(each).get("tags"), list)]
        detail |= {"tags": lists[-1] if lists else []}
    return about | {"kind": "curated", "detail": detail}


def _said(word: Word) -> dict[str, Any]:
    note = {"note": word.why.strip()} if word.why.strip() else {}
    match word.decision:
        case "accept":
            return {"kind": "curated", "detail": {"trainable": True, "quality": "correct"} | note}
        case "reject":
            return {"kind": "curated", "detail": {"trainable": False, "quality": "incorrect"} | note}
        case "reward":
            return {"kind": "rewarded", "reward": word.reward, "detail": note or None}
        case "tag":
            return {"kind": "curated", "detail": {"tags": word.tags.split()} | note}
        case "hint":
            return {"kind": "curated", "detail": {"hint": word.hint.strip()} | note}


def _about(subject: Subject, person: str, key: str) -> dict[str, Any]:
    return {
        "trajectory": subject.trajectory_id,
        "group": subject.group_id,
        "step_id": subject.step_id,
        "source": f"{_PREFIX}{person.strip()}"[:200],
        "key": key,
    }
