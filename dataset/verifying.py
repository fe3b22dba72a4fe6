"""Whether a dataset is what its manifest says, whether its log still gives it, and whether somebody is in it.

Invariant: nothing is taken from the manifest that can be looked at: files are read, digests computed, the recipe built
again beside the dataset.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from clawstream.dataset.building import build
from clawstream.dataset.manifest import MANIFEST, Manifest, file_digest, read_manifest
from clawstream.dataset.parquet import read_columns
from clawstream.streams.process.progress import Watch
from clawstream.streams.settings import KafkaSettings

_WHOSE = ("tenant", "trajectory_id", "sources")


def damage(folder: Path) -> Iterator[str]:
    """How the files differ from the manifest, a sentence each."""
    manifest = read_manifest(folder)
    known = {file.path: file for file in manifest.built.files}
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    for name in sorted(known.keys() - present):
        yield f"{name} is missing"
    for name in sorted(present - known.keys()):
        yield f"{name} is not of this dataset"
    for name in sorted(known.keys() & present):
        found = file_digest(folder / name)
        if found != known[name].sha256:
            yield f"{name} has the digest {found[:12]}…, built was {known[name].sha256[:12]}…"


def rebuilt_differently(folder: Path, kafka: KafkaSettings, watch: Watch) -> Iterator[str]:
    """How what the recipe gives now differs, a sentence each."""
    manifest = read_manifest(folder)
    with TemporaryDirectory(dir=folder.parent, prefix=".verify-") as beside:
        again = build(manifest.recipe, kafka, Path(beside) / "again", watch)
        if again.built.content_sha256 != manifest.built.content_sha256:
            yield (
                f"the recipe gives other rows now: {again.built.rows} with the content "
                f"{again.built.content_sha256[:12]}…, built were {manifest.built.rows} with "
                f"{manifest.built.content_sha256[:12]}…"
            )
        elif [file.sha256 for file in again.built.files] != [file.sha256 for file in manifest.built.files]:
            written, here = _written_by(manifest), _written_by(again)
            yield f"the rows are the same and the files are not: they were written by {written}, here is {here}"


def traces(folder: Path, whose: str) -> Iterator[str]:
    """Rows that hold anything of ``whose``, TENANT or TENANT/TRAJECTORY, a sentence each."""
    tenant, _, trajectory = whose.partition("/")
    for file in read_manifest(folder).built.files:
        for number, row in enumerate(read_columns(folder / file.path, _WHOSE)):
            if row["tenant"] == tenant and trajectory in ("", row["trajectory_id"]):
                steps = ", ".join(source["step_id"] for source in row["sources"])
                yield f"{file.path}, row {number}: trajectory {row['trajectory_id']} of {tenant}, steps {steps}"


def traces_in_rebuild(folder: Path, whose: str, kafka: KafkaSettings, watch: Watch) -> Iterator[str]:
    """The same of what the recipe gives once ``whose`` is forgotten."""
    recipe = read_manifest(folder).recipe
    forgotten = sorted({*recipe.forgotten, whose})
    with TemporaryDirectory(dir=folder.parent, prefix=".verify-") as beside:
        again = Path(beside) / "again"
        build(replace(recipe, forgotten=forgotten), kafka, again, watch)
        yield from traces(again, whose)


def _written_by(manifest: Manifest) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(manifest.built.software.items()))
