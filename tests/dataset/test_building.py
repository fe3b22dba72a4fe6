"""Building from a real log."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from benchmarks.dataset import write_log
from clawstream.dataset.building import build
from clawstream.dataset.errors import DatasetError
from clawstream.dataset.manifest import Manifest, Recipe, read_manifest
from clawstream.dataset.parquet import read_rows
from clawstream.dataset.planning import planned
from clawstream.dataset.row import Row
from clawstream.dataset.verifying import damage, rebuilt_differently, traces, traces_in_rebuild
from clawstream.processors.testing import feedback
from clawstream.schemas import unpack_logprobs, unpack_tokens
from clawstream.streams.reading.ranges import RangeGoneError
from clawstream.streams.settings import KafkaSettings
from tests.dataset.log import groups, write

pytestmark = pytest.mark.kafka


def quiet(what: str, done: int, total: int, /) -> None:
    assert 0 < done <= total


def built(kafka: KafkaSettings, folder: Path, **asked: Any) -> Manifest:
    recipe = planned(Recipe(name="sums", **asked), kafka, None, [])
    return build(recipe, kafka, folder, quiet)


def rows(folder: Path) -> list[Row]:
    return [row for file in read_manifest(folder).built.files for row in read_rows(folder / file.path)]


def groups_in(path: Path) -> set[str]:
    return {row.group_id for row in read_rows(path)}


def test_rows_are_what_was_sampled_and_said(kafka: KafkaSettings, tmp_path: Path) -> None:
    write(kafka, groups(3))
    manifest = built(kafka, tmp_path / "v1")
    found = {row.trajectory_id: row for row in rows(tmp_path / "v1")}
    assert manifest.built.rows == len(found) == 6
    assert manifest.built.left_out == {}
    row = found["t2-1"]
    assert (row.group_id, row.reward, row.group_size, row.group_reward_mean) == ("g2", 1.0, 2, 0.5)
    assert json.loads(row.messages_json) == [
        {"role": "user", "content": "what is 2?"},
        {"role": "assistant", "content": "it is 3"},
        {"role": "user", "content": "sure?"},
        {"role": "assistant", "content": "yesyes"},
    ]
    assert row.metadata_json == '{"level":2}'
    tokens, logprobs = unpack_tokens(row.tokens), unpack_logprobs(row.logprobs)
    last = row.responses[-1]
    assert bytes(tokens[last.start : last.end].tolist()) == b"yesyes"
    assert set(logprobs[last.start : last.end]) == {-0.5}
    assert (row.token_count, row.response_token_count, row.turn_count) == (len(tokens), len("it is 3yesyes"), 2)
    assert [source.step_id for source in row.sources] == ["t2-1-0", "t2-1-1"]
    assert [(said.source, said.value) for said in row.rewards] == [("agent", 1.0)]


def test_the_same_recipe_gives_the_same_bytes(kafka: KafkaSettings, tmp_path: Path) -> None:
    write(kafka, groups(3))
    asked = {"splits": {"train": 0.6, "test": 0.4}, "where": ["reward>=0"]}
    first = built(kafka, tmp_path / "v1", **asked)
    write(kafka, groups(2, first=3))  # later data is not of it
    again = build(read_manifest(tmp_path / "v1").recipe, kafka, tmp_path / "again", quiet)
    assert again == first
    for file in first.built.files:
        assert (tmp_path / "again" / file.path).read_bytes() == (tmp_path / "v1" / file.path).read_bytes()
    assert list(damage(tmp_path / "v1")) == []
    assert list(rebuilt_differently(tmp_path / "v1", kafka, quiet)) == []
    of_split = {file.split: groups_in(tmp_path / "v1" / file.path) for file in first.built.files}
    assert not of_split["train"] & of_split.get("test", set())
    more = built(kafka, tmp_path / "v2", **asked)
    assert more.built.rows == 10
    for file in more.built.files:
        assert of_split.get(file.split, set()) <= groups_in(tmp_path / "v2" / file.path)

    next((tmp_path / "v1" / "data").iterdir()).write_bytes(b"other")
    assert "has the digest" in next(damage(tmp_path / "v1"))
    with pytest.raises(DatasetError, match="is there already"):
        built(kafka, tmp_path / "v1")


def test_filters_and_what_they_left_out(kafka: KafkaSettings, tmp_path: Path) -> None:
    write(kafka, [*groups(2), *groups(1, first=2, channel="val"), *groups(2)])  # the first ones are submitted twice
    asked = ["channel=train", "metadata_json.level=1", "reward>0.5"]
    manifest = built(kafka, tmp_path / "v1", where=asked)
    assert [row.trajectory_id for row in rows(tmp_path / "v1")] == ["t1-1"]
    assert manifest.built.left_out == {"channel=train": 2, "metadata_json.level=1": 2, "reward>0.5": 1}
    assert manifest.built.records == {"feedback": 20, "rewards": 10, "samples": 6, "steps": 20}

    first = built(kafka, tmp_path / "v2", dedupe="messages", where=["group_id=g0"])
    assert first.built.rows == 2
    steps = built(kafka, tmp_path / "v3", rows_from="steps", where=["group_id=g0"])
    assert steps.built.rows == 2
    samples = {row.trajectory_id: row for row in rows(tmp_path / "v2")}
    for row in rows(tmp_path / "v3"):
        assert (row.tokens, row.logprobs) == (samples[row.trajectory_id].tokens, samples[row.trajectory_id].logprobs)


def test_what_reviewers_took_out_and_who_is_forgotten(kafka: KafkaSettings, tmp_path: Path) -> None:
    own = {"trajectory_id": "t0-1", "group_id": "g0"}
    write(kafka, groups(2))
    before = built(kafka, tmp_path / "v1")
    assert before.built.rows == 4
    write(
        kafka,
        [
            feedback("curated", detail={"trainable": False, "tags": ["wrong"]}, **own),
            feedback("curated", detail={"tags": ["forget"]}, trajectory_id="t1-0", group_id="g1"),
        ],
    )
    after = built(kafka, tmp_path / "v2", forgotten=["default/t1-1"])
    assert {row.trajectory_id for row in rows(tmp_path / "v2")} == {"t0-0"}
    assert after.built.left_out == {"curated": 1, "forgotten": 2}
    assert after.built.curated == 2

    assert len(list(traces(tmp_path / "v1", "default/t1-1"))) == 1
    assert len(list(traces(tmp_path / "v1", "default"))) == 4
    assert list(traces(tmp_path / "v1", "other/t1-1")) == []
    assert list(traces(tmp_path / "v2", "default/t1-1")) == []
    assert list(traces_in_rebuild(tmp_path / "v1", "default/t1-1", kafka, quiet)) == []
    assert list(rebuilt_differently(tmp_path / "v1", kafka, quiet)) == []


def test_what_retention_took_is_said(kafka: KafkaSettings, tmp_path: Path) -> None:
    write(kafka, groups(1))
    recipe = planned(Recipe(name="sums"), kafka, None, ["steps[0]@0-1000"])
    with pytest.raises(RangeGoneError, match=r"steps\[0\] holds offsets 0 to \d+ and no longer all of 0 to 1000"):
        build(recipe, kafka, tmp_path / "v1", quiet)
    assert not list(tmp_path.iterdir())


def test_memory_does_not_grow_with_the_log(kafka: KafkaSettings, tmp_path: Path) -> None:
    log_bytes, bucket_bytes = 40 * 2**20, 2**20
    write_log(kafka, log_bytes, turns=4, step_bytes=40_000)
    recipe = planned(Recipe(name="large"), kafka, None, [])
    tracemalloc.start()
    manifest = build(recipe, kafka, tmp_path / "v1", quiet, bucket_bytes=bucket_bytes)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert manifest.built.records["steps"] > 1000
    assert peak_bytes < log_bytes / 2
