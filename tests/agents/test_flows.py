"""What is a flow, and what is told of what is none."""

from pathlib import Path

import pytest

from clawstream.agents.errors import FlowError
from clawstream.agents.flows import load_flow, reward_of

MODULE = """
class Fine:
    def __init__(self, trajectory): ...
    async def run(self, task): ...

class Plain:
    def __init__(self, trajectory, more=None): ...
    def run(self, task, more=None): ...

class NoRun:
    def __init__(self, trajectory): ...

class NoTrajectory:
    def run(self, task): ...

class MoreTasks:
    def __init__(self, trajectory): ...
    def run(self, task, other): ...

function = print
"""


def test_a_flow_is_found_in_the_folder_and_known_as_async_or_not(tmp_path: Path) -> None:
    (tmp_path / "flows_fine.py").write_text(MODULE)
    fine, plain = load_flow("flows_fine:Fine", tmp_path), load_flow("flows_fine:Plain", tmp_path)
    assert (fine.name, fine.is_async, plain.is_async) == ("Fine", True, False)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("flows_bad", "names no flow; one is named module:Class"),
        (":Flow", "names no flow"),
        ("flows_nowhere:Flow", "there is no module flows_nowhere in "),
        ("flows_broken:Flow", "module flows_broken cannot be imported: ZeroDivisionError: division by zero"),
        ("flows_lacking:Flow", "module flows_lacking cannot be imported: No module named 'flows_not_there'"),
        ("flows_bad:Missing", "module flows_bad has no class Missing"),
        ("flows_bad:function", "module flows_bad has no class function"),
        ("flows_bad:NoRun", "flows_bad:NoRun has no method run"),
        ("flows_bad:NoTrajectory", "flows_bad:NoTrajectory must take a trajectory and nothing else"),
        ("flows_bad:MoreTasks", r"flows_bad:MoreTasks.run must take a task and nothing else: .*'other'"),
    ],
)
def test_what_is_no_flow_is_said_in_a_sentence(tmp_path: Path, named: str, said: str) -> None:
    (tmp_path / "flows_bad.py").write_text(MODULE)
    (tmp_path / "flows_broken.py").write_text("1 / 0")
    (tmp_path / "flows_lacking.py").write_text("import flows_not_there")
    with pytest.raises(FlowError, match=said):
        load_flow(named, tmp_path)


def test_rewards_are_numbers_or_not_known() -> None:
    assert (reward_of(True), reward_of(2), reward_of(None)) == (1.0, 2.0, None)
    with pytest.raises(FlowError, match="run returned '1'; a reward is a number"):
        reward_of("1")


def test_the_line_that_failed_is_the_flows_own(tmp_path: Path) -> None:
    (tmp_path / "flows_line.py").write_text(
        "class Flow:\n    def __init__(self, trajectory): ...\n    def run(self, task):\n        return int(task)\n"
    )
    flow = load_flow("flows_line:Flow", tmp_path)
    with pytest.raises(ValueError) as caught:
        flow.made_by(None).run("x")
    assert flow.line_of(caught.value) == "flows_line.py:4"
    assert flow.line_of(ValueError()) == ""
