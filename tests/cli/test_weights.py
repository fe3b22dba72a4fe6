"""``clawstream weights`` says what it cannot do in one sentence."""

from pathlib import Path

from click.testing import CliRunner

from clawstream.cli.main import cli


def test_a_version_that_is_not_there_is_named(tmp_path: Path) -> None:
    found = CliRunner().invoke(cli, ["weights", "rollback", "3", "--output-dir", str(tmp_path)])
    assert found.exit_code == 2
    assert "version 3 is no earlier version on disk; there are: none" in found.output
