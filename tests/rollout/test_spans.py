"""Spans are noted once an output is finished, and each says of which choice it is where there are several."""

from types import SimpleNamespace
from typing import Any

from clawstream.rollout.spans import Spans, chunks, note


def output(*spans: tuple[str, int, int]) -> Any:
    found = [SimpleNamespace(version=version, start=start, end=end) for version, start, end in spans]
    return SimpleNamespace(weight_versions=found or None)


def test_an_output_that_is_not_finished_has_none() -> None:
    spans: Spans = {}
    note(spans, 0, output())
    assert spans == {}
    note(spans, 0, output(("3", 0, 4), ("4", 4, 9)))
    assert spans == {0: [{"version": "3", "start": 0, "end": 4}, {"version": "4", "start": 4, "end": 9}]}


def test_one_choice_needs_no_number() -> None:
    spans: Spans = {}
    note(spans, 1, output(("4", 0, 2)))
    note(spans, 0, output(("3", 0, 1)))
    first, second = chunks(spans, {"id": "x"}, numbered=True)
    assert (first["index"], second["index"], second["choices"]) == (0, 1, [])
    assert second["weight_versions"] == [{"version": "4", "start": 0, "end": 2}]
    assert all("index" not in chunk for chunk in chunks(spans, {"id": "x"}, numbered=False))


def test_what_an_adapter_said_is_of_the_version_in_its_name() -> None:
    spans: Spans = {}
    note(spans, 0, output(), SimpleNamespace(lora_name="policy-acme@7"))
    assert spans == {}
    note(spans, 0, output(("0", 0, 4), ("1", 4, 9)), SimpleNamespace(lora_name="policy-acme@7"))
    assert spans == {0: [{"version": "7", "start": 0, "end": 9}]}
