"""A batch in one word. Pure."""

from collections.abc import Iterable

from clawstream.schemas import derived_id


def fingerprint(sample_ids: Iterable[str]) -> str:
    """The same for the same samples, in whatever order they came; samples are immutable, so for the same tokens too."""
    return derived_id("batch", *sorted(sample_ids))
