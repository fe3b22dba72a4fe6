from pathlib import Path

import pytest

from tests.balance import LONGEST, NODE, WITH_NODE, turn, unit

TESTS = Path(__file__).parent


def test_all_that_ask_for_the_node_are_run_by_one_process() -> None:
    asking = {path for path in TESTS.rglob("test_*.py") if "node: VllmNode" in path.read_text()} - {Path(__file__)}
    assert {str(path.relative_to(TESTS.parent)) for path in asking} == set(WITH_NODE)


def test_what_is_said_to_be_long_is_there() -> None:
    assert [name for name in LONGEST if name != NODE and not (TESTS.parent / name).exists()] == []


@pytest.mark.parametrize(
    ("nodeid", "expected"), [("tests/a.py::test_b[x::y]", "tests/a.py"), (f"{WITH_NODE[1]}::test_b", NODE)]
)
def test_a_file_is_a_unit_unless_it_shares_the_node(nodeid: str, expected: str) -> None:
    assert unit(nodeid) == expected


def test_the_longest_begin_first() -> None:
    files = ("tests/a.py", *WITH_NODE, LONGEST[0])
    assert [turn(f"{file}::test") for file in files] == [len(LONGEST), *[LONGEST.index(NODE)] * len(WITH_NODE), 0]
