import json
from typing import Any

import pytest

from clawstream.processors.rewards import RewardError
from clawstream.processors.rewards.building import build
from clawstream.processors.settings import ProcessorsSettings
from clawstream.processors.testing import conversation, run

SCHEMA = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "integer"}}}


def value(answer: str, metadata: dict[str, Any] | None, **settings: Any) -> float | None:
    (entry,) = ProcessorsSettings(rewards=[settings]).rewards
    outcome = run(build(entry), conversation(("?", answer), metadata=metadata))
    assert outcome.failures == []
    (found,) = outcome.values(entry.source)
    return found


@pytest.mark.parametrize(
    ("answer", "metadata", "settings", "expected"),
    [
        (" 4\n", {"answer": "4"}, {"kind": "exact_match"}, 1.0),
        ("it is 4", {"answer": "4"}, {"kind": "exact_match"}, 0.0),
        ("it is 4", {"answer": 4}, {"kind": "exact_match", "extract": r"is (\d+)"}, 1.0),
        ("no idea", {"answer": 4}, {"kind": "exact_match", "extract": r"is (\d+)"}, 0.0),
        ("yes", {"task": {"right": ["no", "yes"]}}, {"kind": "exact_match", "expected": "task.right"}, 1.0),
        ("1,234.5 dollars", {"answer": "1234.5"}, {"kind": "numeric"}, 1.0),
        ("3 apples and 4 pears", {"answer": 3}, {"kind": "numeric"}, 0.0),
        ("about 3.1", {"answer": 3.14}, {"kind": "numeric", "tolerance": 0.02}, 1.0),
        ("none", {"answer": 3}, {"kind": "numeric"}, 0.0),
        (r"So \boxed{\frac{1}{2}}.", {"answer": "0.5"}, {"kind": "maths"}, 1.0),
        ("The answer is 7/2.", {"answer": r"\frac{7}{2}"}, {"kind": "maths"}, 1.0),
        ("4*5=20\n#### 20", {"answer": "explained\n#### 20"}, {"kind": "maths"}, 1.0),
        (r"\boxed{x^2+1}", {"answer": "$x^2 + 1$"}, {"kind": "maths"}, 1.0),
        (r"\boxed{x^2}", {"answer": "x^3"}, {"kind": "maths"}, 0.0),
        (r"\boxed{9**9**9}", {"answer": "1"}, {"kind": "maths"}, 0.0),
        ("<b>done</b>", None, {"kind": "regex", "pattern": r"<b>.*</b>"}, 1.0),
        ("done", {"pattern": "^d"}, {"kind": "regex"}, 1.0),
        ("done", {"pattern": "x"}, {"kind": "regex"}, 0.0),
        ('{"answer": 4}', None, {"kind": "json_schema", "schema": SCHEMA}, 1.0),
        ('Here:\n```json\n{"answer": "4"}\n```', None, {"kind": "json_schema", "schema": SCHEMA}, 0.0),
        ('Here:\n```json\n{"answer": 4}\n```', {"schema": SCHEMA}, {"kind": "json_schema"}, 1.0),
        ("{", None, {"kind": "json_schema", "schema": SCHEMA}, 0.0),
        ("x" * 10, None, {"kind": "length", "max_tokens": 20, "buffer_tokens": 5}, 0.0),
        ("x" * 18, None, {"kind": "length", "max_tokens": 20, "buffer_tokens": 5}, -0.6),
        ("x" * 99, None, {"kind": "length", "max_tokens": 20, "buffer_tokens": 5}, -1.0),
        ("4", None, {"kind": "exact_match"}, None),
    ],
)
def test_rules(answer: str, metadata: dict[str, Any] | None, settings: dict[str, Any], expected: float | None) -> None:
    assert value(answer, metadata, **settings) == expected


def test_a_pattern_that_is_none_is_named_before_anything_runs() -> None:
    (entry,) = ProcessorsSettings(rewards=[{"kind": "regex", "name": "mine", "pattern": "("}]).rewards
    with pytest.raises(RewardError, match=r"reward mine: '\(' is no regular expression"):
        build(entry)


def test_settings_are_read_from_tables_and_from_json() -> None:
    entries = [{"kind": "maths", "name": "a"}, {"kind": "length", "max_tokens": 5, "buffer_tokens": 1}]
    assert ProcessorsSettings(rewards=json.dumps(entries)) == ProcessorsSettings(rewards=entries)
    with pytest.raises(ValueError, match="no_such"):
        ProcessorsSettings(rewards=[{"kind": "no_such"}])
