"""Which split a group is in. Pure.

Invariant: all rows of a group are in one split, which depends on the group, the seed and the shares alone: more data
later moves nobody. With shares in the same order, a larger first share takes groups in and gives none away.
"""

from collections.abc import Iterable, Mapping

from clawstream.dataset.errors import DatasetError
from clawstream.schemas import derived_id

_ROUNDING = 1e-9


def split_of(tenant: str, group_id: str, splits: Mapping[str, float], seed: str) -> str:
    """The name of the split that the group is in."""
    place = int(derived_id("split", seed, tenant, group_id), 16) / 16**32
    names, reached = list(splits), 0.0
    for name in names:
        reached += splits[name]
        if place < reached:
            return name
    return names[-1]


def read_splits(texts: Iterable[str]) -> dict[str, float]:
    """Shares written as ``train=0.9``. Raises ``DatasetError`` unless they make 1."""
    found = dict[str, float]()
    for text in texts:
        name, _, share = text.partition("=")
        try:
            found[name] = float(share)
        except ValueError:
            raise DatasetError(f"{text!r} is no share of a split, such as train=0.9") from None
        if not name.isidentifier() or not 0 < found[name] <= 1:
            raise DatasetError(f"{text!r} is no share of a split, such as train=0.9")
    if abs(sum(found.values()) - 1) > _ROUNDING:
        raise DatasetError(f"the shares of {', '.join(found)} make {sum(found.values()):g}, not 1")
    return found
