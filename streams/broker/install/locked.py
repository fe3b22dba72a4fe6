"""Which jars make a Kafka: exact coordinates with size and SHA-256, as ``jars.lock`` has them."""

from dataclasses import dataclass
from pathlib import Path

_LOCK_FILE = Path(__file__).with_name("jars.lock")


@dataclass(frozen=True, kw_only=True)
class Jar:
    """One jar by its Maven coordinate."""

    group: str
    artifact: str
    version: str
    size_bytes: int
    sha256: str  # lowercase hex

    @property
    def name(self) -> str:
        """Its file name, as Maven repositories have it."""
        return f"{self.artifact}-{self.version}.jar"


def locked_jars() -> tuple[Jar, ...]:
    """Every jar that a single-node Kafka needs, as ``jars.lock`` names them."""
    lines = _LOCK_FILE.read_text().splitlines()
    return tuple(_parse(line) for line in lines if not line.startswith("#"))


def _parse(line: str) -> Jar:
    coordinate, size_bytes, sha256 = line.split()
    group, artifact, version = coordinate.split(":")
    return Jar(group=group, artifact=artifact, version=version, size_bytes=int(size_bytes), sha256=sha256)
