"""What reviewers say: ``curated`` feedback, and which steps it keeps from training. Pure.

Invariant: of several statements about a step the newest counts, and one about the step itself counts over one about the
whole trajectory; so a trajectory can be taken out and a step of it let in again.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from clawstream.schemas import Feedback

_MOST_STEPS = 2**31  # no index is above it, whatever the log says


class Curation(msgspec.Struct, frozen=True, kw_only=True):
    """One statement, as far as it matters here."""

    at: datetime
    source: str
    step_id: str | None = None
    step_index: int | None = None  # of a step in the log's order, from 0, where it is not named
    trainable: bool | None = None
    reviewed: bool = False  # the reviewer has looked: any quality but "unreviewed", or a word on training

    @property
    def whole(self) -> bool:
        """Is it about the whole trajectory?"""
        return self.step_id is None and self.step_index is None

    def about(self, step_ids: Sequence[str]) -> str | None:
        """The step that it is about, of ``step_ids``."""
        if self.step_id is None and self.step_index is not None and self.step_index < len(step_ids):
            return step_ids[self.step_index]
        return self.step_id


def read_curation(feedback: Feedback) -> Curation:
    """What a ``curated`` statement says. One whose detail cannot be read says nothing."""
    try:
        detail = msgspec.json.decode(feedback.detail_json or "{}")
    except msgspec.DecodeError:
        detail = {}
    detail = detail if isinstance(detail, dict) else {}
    index, trainable, quality = detail.get("step_index"), detail.get("trainable"), detail.get("quality")
    trainable = trainable if isinstance(trainable, bool) else None
    return Curation(
        at=feedback.at,
        source=feedback.source,
        step_id=feedback.step_id,
        step_index=index if type(index) is int and 0 <= index < _MOST_STEPS else None,
        trainable=trainable,
        reviewed=trainable is not None or quality not in (None, "unreviewed"),
    )


def excluded(curations: Sequence[Curation], step_ids: Sequence[str]) -> dict[str, str]:
    """Steps that must not train, each with who said so."""
    whole: Curation | None = None
    said: dict[str, Curation] = {}
    for curation in sorted(curations, key=lambda curation: curation.at):
        if curation.trainable is None:
            continue
        if curation.whole:
            whole = curation
        elif (about := curation.about(step_ids)) is not None:
            said[about] = curation
    newest = {step_id: said.get(step_id, whole) for step_id in step_ids}
    return {step_id: word.source for step_id, word in newest.items() if word is not None and word.trainable is False}


def is_reviewed(curations: Sequence[Curation]) -> bool:
    """Has any reviewer looked at the trajectory or a step of it?"""
    return any(curation.reviewed for curation in curations)
