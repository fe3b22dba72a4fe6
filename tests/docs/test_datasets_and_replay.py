"""What ``docs/datasets.md`` and ``docs/replay.md`` show is run as it stands."""

from pathlib import Path

import pytest

from clawstream.streams.settings import KafkaSettings
from tests.dataset.log import groups, write
from tests.docs.console import DOCS, blocks, run_consoles

pytestmark = pytest.mark.kafka


@pytest.fixture
def place(kafka: KafkaSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> KafkaSettings:
    """A log of six groups, and a folder to work in."""
    monkeypatch.setenv("CLAWSTREAM_KAFKA_BOOTSTRAP_SERVERS", kafka.bootstrap_servers)
    monkeypatch.setenv("CLAWSTREAM_KAFKA_TOPIC_PREFIX", kafka.topic_prefix)
    monkeypatch.setenv("CLAWSTREAM_PROCESSORS_GROUP_SIZE", "2")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    write(kafka, groups(6))
    return kafka


def test_datasets(place: KafkaSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = (DOCS / "datasets.md").read_text()
    assert run_consoles(text, place.topic_prefix, monkeypatch) == 12
    (code,) = blocks(text, "python")
    exec(code, {})
    first, rows, arrays = capsys.readouterr().out.splitlines()
    assert first.startswith("what is ")
    assert 0 < int(rows) <= 12
    assert arrays.endswith("'rm_scores', 'rollout_log_probs'] 192")


def test_replay(place: KafkaSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (DOCS / "replay.md").read_text()
    Path("my_rewards.py").write_text(blocks(text, "python")[0])
    assert run_consoles(text, place.topic_prefix, monkeypatch) == 6
