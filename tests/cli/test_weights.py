"""``clawstream weights`` shows what there is, and says what it cannot do in one sentence."""

from datetime import UTC, datetime
from pathlib import Path

from click.testing import CliRunner

from clawstream.cli.main import cli
from clawstream.schemas import WeightVersion
from clawstream.streams.settings import KafkaSettings
from clawstream.streams.writing.producer import Producer
from clawstream.topics import WEIGHTS
from clawstream.trainer.versions.checkpoint import Checkpoints
from clawstream.trainer.versions.state import TrainerState, write_state
from tests.builders import a_version


def test_a_version_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = CliRunner().invoke(cli, ["weights", "rollback", "3", "--output-dir", str(tmp_path)])
    assert found.exit_code == 2
    assert "version 3 is no earlier version on disk; there are: none" in found.output


def test_versions_and_adapters_are_listed_as_two_tables(kafka: KafkaSettings, tmp_path: Path) -> None:
    checkpoints, at = Checkpoints(tmp_path, 4), datetime(2026, 1, 1, tzinfo=UTC)
    for version in (0, 1):
        weights = a_version(version, sha256="ab" * 32, parent=version - 1 if version else None, created_at=at)
        commit(checkpoints, weights)
    producer = Producer(kafka, "trainer")
    producer.send(WEIGHTS, a_version(7, model="policy-acme", base="policy", tenant="acme", retired=True)).result()
    producer.close()
    found = CliRunner().invoke(
        cli, ["weights", "list", "--output-dir", str(tmp_path)], env=kafka.environment(), catch_exceptions=False
    )
    assert found.output.splitlines() == [
        "version  parent  created                    sha256        reward  validation  optimizer  served by",
        "0                2026-01-01T00:00:00+00:00  abababababab                      no",
        "1        0       2026-01-01T00:00:00+00:00  abababababab                      no",
        "",
        "adapter      of      tenant  version  state    served by",
        "policy-acme  policy  acme    7        retired",
    ]


def commit(checkpoints: Checkpoints, weights: WeightVersion) -> None:
    folder = checkpoints.begin(weights.version)
    write_state(folder, TrainerState(weights=weights, report=None, next_offsets={}))
    checkpoints.commit(weights.version)
