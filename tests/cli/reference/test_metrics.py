"""Every series that a process exposes has a line, with its labels."""

import pytest

from clawstream.cli.reference.metrics import metrics
from tests.deploy.test_monitoring import known

HISTOGRAM = ("_bucket", "_sum", "_count")

PAGE = metrics()


@pytest.mark.parametrize(("series", "labels"), known().items())
def test_every_series_has_a_line(series: str, labels: set[str]) -> None:
    name = next((series.removesuffix(end) for end in HISTOGRAM if series.endswith(end)), series)
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |")]
    assert {label for label in labels if f"`{label}`" not in line} == set()
