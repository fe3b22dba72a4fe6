from pathlib import Path

from clawstream.dataset.diffing import differences
from tests.dataset.builders import a_dataset, a_row


def test_rows_and_recipes_are_compared(tmp_path: Path) -> None:
    before = a_dataset(tmp_path / "v1", [a_row("a"), a_row("b"), a_row("c")])
    after = a_dataset(tmp_path / "v2", [a_row("a"), a_row("b", reward=0.0), a_row("d")], where=["reward>=0"])
    assert list(differences(before, after)) == [
        'where: [] -> ["reward>=0"]',
        "rows added: 1: d",
        "rows changed: 1: b",
        "rows removed: 1: c",
        "rows the same: 1",
    ]
    assert list(differences(before, before)) == []


def test_a_row_in_another_split(tmp_path: Path) -> None:
    before = a_dataset(tmp_path / "v1", [a_row("a")])
    after = a_dataset(tmp_path / "v2", [a_row("a")], splits={"test": 1.0})
    assert "rows in another split: 1: a" in list(differences(before, after))
