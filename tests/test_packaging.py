"""The wheel, built from the sdist, holds every part and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = {path.name for path in (ROOT / "src" / "clawstream").iterdir()}


def test_the_links_are_relative_and_complete() -> None:
    for link in (ROOT / "src" / "clawstream").iterdir():
        assert link.readlink() == Path("../..") / link.name
        assert (ROOT / link.name / "__init__.py").exists()
        assert (ROOT / link.name / "py.typed").exists()


def test_the_wheel_from_the_sdist_holds_every_part(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    files = zipfile.ZipFile(wheel).namelist()
    packaged = {name for name in files if not name.startswith("clawstream-")}
    assert {name.split("/")[0] for name in packaged} == {"clawstream"}
    assert {name.split("/")[1] for name in packaged} == PARTS
    for part in PARTS:
        sources = {path.relative_to(ROOT).as_posix() for path in (ROOT / part).rglob("*.py")}
        assert sources == {name.removeprefix("clawstream/") for name in packaged if _is_source_of(part, name)}
        assert f"clawstream/{part}/py.typed" in packaged
    avro = {path.name for path in (ROOT / "schemas" / "avro").iterdir()}
    assert avro == {Path(name).name for name in packaged if name.startswith("clawstream/schemas/avro/")}


def _is_source_of(part: str, name: str) -> bool:
    return name.startswith(f"clawstream/{part}/") and name.endswith(".py")
