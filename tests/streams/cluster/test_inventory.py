"""Figures of topics, for people."""

import pytest

from clawstream.streams.cluster.inventory import Stored, kept_for, size_of, table

DAY_MS = 86_400_000


def stored(topic: str, records: int = 0, bytes_on_disk: int | None = 0) -> Stored:
    return Stored(
        topic=topic, partitions=4, replicas=3, kept_ms=30 * DAY_MS, records=records, bytes_on_disk=bytes_on_disk
    )


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_440_000_000, "1.4 GB"), (62_000_000_000_000, "62.0 TB")],
)
def test_a_size_has_the_unit_that_fits(count: int, shown: str) -> None:
    assert size_of(count) == shown


def test_how_long_is_said_in_days() -> None:
    assert [kept_for(kept_ms) for kept_ms in (30 * DAY_MS, DAY_MS // 2, -1, None)] == [
        "30 d",
        "0.5 d",
        "for ever",
        "compacted",
    ]


def test_what_is_empty_and_beside_the_catalogue_is_left_out_unless_it_differs() -> None:
    found = [stored("steps"), stored("steps.dead"), stored("feedback.dead", 2), stored("nodes.dead"), stored("weights")]
    rows = list(table(found, frozenset({"nodes.dead"})))
    assert [row[0] for row in rows[1:]] == ["steps", "feedback.dead", "nodes.dead!", "weights"]


def test_a_size_that_is_not_known_is_no_zero() -> None:
    assert [row[-1] for row in table([stored("steps", 12_000, None)], frozenset())] == ["on disk", "-"]
