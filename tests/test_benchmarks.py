"""What benchmarks keep from one run to the next."""

from pathlib import Path

from benchmarks.report import digest


def test_what_is_kept_is_of_the_code_that_made_it(tmp_path: Path) -> None:
    for part in ("app", "other"):
        (tmp_path / part / "inner").mkdir(parents=True)
        (tmp_path / part / "inner" / "file.py").write_text("1")
    before = digest(tmp_path, ["app"])
    (tmp_path / "other" / "inner" / "file.py").write_text("2")
    (tmp_path / "app" / "__pycache__").mkdir()
    (tmp_path / "app" / "__pycache__" / "file.pyc").write_text("2")
    assert digest(tmp_path, ["app"]) == before
    (tmp_path / "app" / "inner" / "file.py").write_text("2")
    assert digest(tmp_path, ["app"]) != before
    assert digest(tmp_path, ["app/inner/file.py"]) != digest(tmp_path, ["app/inner/no.py"])
