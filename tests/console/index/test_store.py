import itertools
from pathlib import Path

import pytest

from clawstream.console.index.filters import Filter
from clawstream.console.index.reading import Listed, Reading
from clawstream.console.index.store import FILE, Index
from clawstream.schemas import Discard, Record, encode
from clawstream.streams.reading.history import Told
from clawstream.topics import STEPS
from tests.builders import NOON, a_feedback, a_rejection, a_reward, a_sample, a_step, a_trajectory, an_update
from tests.console.index.logs import take, told

STALE = Discard(sample_id="s1", reason="stale: 9 versions")


def only(index: Index, tenant: str = "default") -> Listed:
    (found,) = Reading(index, tenant).trajectories(Filter(), 10)
    return found


def test_a_trajectory_is_listed_as_its_records_say(tmp_path: Path) -> None:
    index = Index(tmp_path)
    take(index, a_step(version=3, agent="cook"), a_step(response=[1, 2, 3], version=5))
    found = only(index)
    assert (found.steps, found.tokens, found.version_min, found.version_max) == (2, 5, 3, 5)
    assert (found.agent, found.status, found.reward) == ("cook", "open", None)
    take(index, a_feedback("completed", reward=0.5))
    assert (only(index).status, only(index).reward) == ("ended", 0.5)
    take(index, a_trajectory(), a_sample(0.75, sample_id="s1"))
    assert (only(index).status, only(index).reward) == ("ready", 0.75)
    take(index, an_update(7, sample_ids=["s1"]))
    assert (only(index).status, only(index).update_version) == ("trained", 7)


def test_topics_may_be_read_in_any_order(tmp_path: Path) -> None:
    records: list[Record] = [
        a_step(),
        a_feedback("completed", reward=0.5),
        a_sample(0.5, sample_id="s1"),
        an_update(7, sample_ids=["s1"]),
    ]
    found = set()
    for number, order in enumerate(itertools.permutations(records)):
        index = Index(tmp_path / str(number))
        take(index, *order)
        listed = only(index)
        found.add((listed.status, listed.update_version, listed.reward, listed.steps, listed.channel))
        index.close()
    assert found == {("trained", 7, 0.5, 1, "train")}


def test_what_is_written_twice_counts_once(tmp_path: Path) -> None:
    index, step, rejection = Index(tmp_path), a_step(), a_rejection("s1")
    assert take(index, step, step, rejection, rejection) == 2
    assert (only(index).steps, only(index).rejected, only(index).reason) == (1, 1, "curated")


def test_discarded_samples_are_not_trained(tmp_path: Path) -> None:
    index = Index(tmp_path)
    take(index, a_sample(sample_id="s1"), an_update(7, discarded=[STALE]))
    assert only(index).status == "discarded"


def test_the_newest_word_of_a_reviewer_counts(tmp_path: Path) -> None:
    index = Index(tmp_path)
    take(index, a_step(), a_feedback("curated", detail_json='{"trainable": false, "tags": ["odd", "long"]}'))
    assert (only(index).review, only(index).tags) == ("rejected", "odd long")
    take(index, a_feedback("curated", detail_json='{"trainable": true}'))
    assert only(index).review == "accepted"
    take(index, a_feedback("curated", detail_json="no json"))
    assert only(index).review == "accepted"


def test_offsets_are_in_the_same_transaction(tmp_path: Path) -> None:
    index = Index(tmp_path)
    bad = told(a_step(), 8)
    with pytest.raises(AttributeError):
        index.take([told(a_step(), 7), Told(**{name: getattr(bad, name) for name in Told.__slots__} | {"topic": None})])
    assert index.offsets() == {}
    assert Reading(index, "default").trajectories(Filter(), 10) == []
    index.take([told(a_step(), 7)])
    assert Index(tmp_path).offsets() == {("steps", 0): 8}


def test_what_cannot_be_decoded_is_passed_over(tmp_path: Path) -> None:
    index = Index(tmp_path)
    index.take([Told(topic=STEPS, partition=1, offset=4, timestamp_ms=0, value=b"x", record=None, problem="too short")])
    assert index.offsets() == {("steps", 1): 5}


def test_the_oldest_trajectories_are_forgotten_with_all_that_is_said_of_them(tmp_path: Path) -> None:
    index = Index(tmp_path)
    for hour in range(4):
        at, name = NOON.replace(hour=hour), f"t{hour}"
        take(
            index,
            a_step(trajectory_id=name, received_at=at, text=f"apple{hour}"),
            a_step(trajectory_id=name, received_at=at),
        )
        take(index, a_reward(trajectory_id=name, at=at), a_sample(trajectory_id=name, sample_id=name, ready_at=at))
        take(index, an_update(hour, sample_ids=[name]))
    assert index.prune(max_steps=4, before_ms=0) == 2
    reading = Reading(index, "default")
    assert [listed.trajectory_id for listed in reading.trajectories(Filter(), 10)] == ["t3", "t2"]
    assert reading.records("t1") == []
    assert reading.outcomes(["t1"]) == []
    assert reading.trajectories(Filter(text="apple1"), 10) == []
    assert len(reading.trajectories(Filter(text="apple3"), 10)) == 1
    assert index.prune(max_steps=4, before_ms=0) == 0
    assert index.prune(max_steps=4, before_ms=int(NOON.timestamp() * 1000)) == 2


def test_a_file_of_another_layout_is_built_again(tmp_path: Path) -> None:
    index = Index(tmp_path)
    take(index, a_step())
    index.close()
    assert Index(tmp_path).offsets() != {}
    assert Index(tmp_path, rebuild=True).offsets() == {}
    (tmp_path / FILE).write_bytes(b"no database, but long enough to be looked at as one")
    (tmp_path / "other").write_text("stays")
    assert Index(tmp_path).offsets() == {}
    assert (tmp_path / "other").read_text() == "stays"


def test_raw_records_are_as_they_lie_in_the_log(tmp_path: Path) -> None:
    index, step, sample = Index(tmp_path), a_step(), a_sample()
    take(index, step, a_trajectory(), sample)
    records = {kept.topic: kept.record for kept in Reading(index, "default").records("t1")}
    assert encode(records["steps"]) == encode(step)
    assert records["samples"] == sample
    assert records["trajectories"] == a_trajectory(sequences=[], rewards=records["trajectories"].rewards)  # type: ignore[attr-defined]
