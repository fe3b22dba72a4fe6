from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.console.index.filters import Filter, matching
from clawstream.console.index.reading import Reading
from clawstream.console.index.store import Index
from tests.builders import NOON, a_feedback, a_sample, a_step
from tests.console.index.logs import take


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """Three trajectories of two tenants."""
    found = Index(tmp_path)
    take(
        found,
        a_step(trajectory_id="a", text='the "red" fox', agent="cook", received_at=NOON.replace(minute=1)),
        a_step(trajectory_id="b", version=4, channel="val", received_at=NOON.replace(minute=2), reasoning="blue fox"),
        a_step(trajectory_id="c", tenant="acme", text="red", received_at=NOON.replace(minute=3)),
        a_step(trajectory_id="a", tenant="acme", text="theirs", received_at=NOON.replace(minute=4)),
        a_sample(0.25, trajectory_id="b", channel="val", sample_id="sb", ready_at=NOON),
    )
    return found


def names(index: Index, tenant: str = "default", **wanted: object) -> list[str]:
    return [listed.trajectory_id for listed in Reading(index, tenant).trajectories(Filter(**wanted), 10)]  # type: ignore[arg-type]


def test_a_tenant_sees_its_own(index: Index) -> None:
    assert names(index) == ["b", "a"]
    assert names(index, "acme") == ["a", "c"]
    assert names(index, "nobody") == []
    assert names(index, text="red") == ["a"]
    assert names(index, "acme", text="red") == ["c"]
    theirs = Reading(index, "acme")
    assert [kept.record.text for kept in theirs.records("a")] == ["theirs"]  # type: ignore[attr-defined]
    assert theirs.records("b") == []
    assert theirs.trajectory("b") is None
    assert theirs.samples(["sb"]) == []
    assert theirs.record("samples", "sb") is None
    assert theirs.counts() == {"open": 2}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"status": "ready"}, ["b"]),
        ({"status": "open"}, ["a"]),
        ({"agent": "cook"}, ["a"]),
        ({"channel": "val"}, ["b"]),
        ({"reward_min": 0.2, "reward_max": 0.3}, ["b"]),
        ({"version_min": 4}, ["b"]),
        ({"version_max": 3}, ["a"]),
        ({"before": 1000 * NOON.replace(minute=2).timestamp()}, ["a"]),
        ({"text": "fox"}, ["b", "a"]),
        ({"text": '"blue fox"'}, ["b"]),
        ({"text": '"red fox"'}, ["a"]),
        ({"text": 'fox AND (NOT "'}, []),
        ({"text": '""'}, []),
        ({"steps_min": 2}, []),
    ],
)
def test_lists_are_narrowed(index: Index, wanted: dict[str, object], expected: list[str]) -> None:
    assert names(index, **wanted) == expected


def test_the_review_queue_is_what_nobody_has_decided(index: Index) -> None:
    reading = Reading(index, "default")
    assert [listed.trajectory_id for listed in reading.review_queue(10)] == ["a"]
    take(index, a_feedback("curated", trajectory_id="a", detail_json='{"trainable": true}'))
    assert reading.review_queue(10) == []


@given(
    st.builds(
        Filter,
        text=st.text(max_size=20).map(str.strip),
        status=st.sampled_from(["", "open", "trained"]),
        agent=st.text(max_size=5).map(str.strip),
        reward_min=st.none() | st.floats(-1e9, 1e9),
        version_min=st.none() | st.integers(0, 2**40).map(float),
    )
)
def test_a_filter_survives_its_url(wanted: Filter) -> None:
    assert Filter.read(wanted.write()) == wanted


@given(st.dictionaries(st.sampled_from([*Filter.__dataclass_fields__, "x"]), st.text(max_size=10)))
def test_any_url_is_a_filter(query: dict[str, str]) -> None:
    assert list(Filter.read(query).conditions()) is not None


@given(st.text(max_size=30))
def test_any_text_can_be_searched(text: str) -> None:
    assert matching(text).count('"') % 2 == 0
