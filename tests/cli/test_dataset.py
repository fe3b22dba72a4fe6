"""The command, on a real log."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from clawstream.cli.main import cli
from clawstream.streams.reading.consumer import read_all
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import SAMPLES, UPDATES
from tests.builders import an_update
from tests.dataset.log import groups, write

pytestmark = pytest.mark.kafka


@pytest.fixture
def run(kafka: KafkaSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("CLAWSTREAM_KAFKA_TOPIC_PREFIX", kafka.topic_prefix)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, fails: int = 0) -> str:
        ended = CliRunner().invoke(cli, ["dataset", *arguments], catch_exceptions=False)
        assert ended.exit_code == fails, ended.output
        return ended.output

    return run


def test_from_the_log_to_pairs(kafka: KafkaSettings, run: Any) -> None:
    write(kafka, groups(2))
    first = run("build", "sums", "--split", "train=0.5", "--split", "test=0.5", "--min-reward", "0")
    assert "sums/v1  4 rows of 2 groups" in first
    assert "where        reward>=0.0" in first
    assert run("show") == first.splitlines()[0] + "\n"
    assert run("show", "runs/datasets/sums/v1") == run("show", "sums") == first
    v1 = "runs/datasets/sums/v1"
    assert run("verify", v1, "--rebuild") == f"{v1} is as its manifest says\n"
    elsewhere = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    command = [
        sys.executable,
        "-m",
        "clawstream.cli.main",
        "dataset",
        "build",
        "sums",
        "--like",
        v1,
        "--output",
        "again",
    ]
    subprocess.run(command, env=elsewhere, check=True, stdout=subprocess.DEVNULL)
    for path in (path for path in Path(v1).rglob("*") if path.is_file()):
        assert Path("again", path.relative_to(v1)).read_bytes() == path.read_bytes()

    assert "t0-1 of default" in run("verify", v1, "--without", "default/t0-1", fails=1)
    second = run("build", "sums", "--like", v1, "--forget", "default/t0-1")
    assert "sums/v2  3 rows" in second
    assert f"parent       {json.loads(Path(v1, 'manifest.json').read_text())['built']['content_sha256']}" in second
    v2 = "runs/datasets/sums/v2"
    assert "holds nothing of default/t0-1" in run("verify", v2, "--without", "default/t0-1")
    assert "rows removed: 1: t0-1\nrows the same: 3" in run("diff", v1, v2, fails=1)

    run("export", v1, "chat", "chat")
    lines = [json.loads(line) for file in Path("chat").iterdir() for line in file.read_bytes().splitlines()]
    assert sorted(line["trajectory_id"] for line in lines) == ["t0-0", "t0-1", "t1-0", "t1-1"]
    run("export", v1, "preferences", "pairs")
    lines = [json.loads(line) for file in Path("pairs").iterdir() for line in file.read_bytes().splitlines()]
    assert sorted((line["prompt"][0]["content"], line["reward_chosen"]) for line in lines) == [
        ("what is 0?", 1.0),
        ("what is 1?", 1.0),
    ]


def test_what_came_of_a_step(kafka: KafkaSettings, run: Any) -> None:
    write(kafka, groups(1))
    run("build", "sums")
    (sample,) = [each for each in read_all(kafka, SAMPLES) if each.trajectory_id == "t0-1"]
    producer = Producer(kafka, "test")
    producer.send(UPDATES, an_update(sample_ids=[sample.sample_id]))
    producer.close()
    dataset, in_sample, update = run("show", "--step", "t0-1-0").splitlines()
    assert dataset.startswith("dataset  sums/v1  data/train-00000.parquet, row ")
    assert dataset.endswith(": trajectory t0-1, sampled there")
    assert in_sample == f"sample   {sample.sample_id}  reward 1"
    assert update == f"update   u3  version 3 of policy trained {sample.sample_id}"
    assert run("show", "--step", "nothing") == ""
