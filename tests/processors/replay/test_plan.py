from pathlib import Path

from clawstream.processors.replay.plan import plan_of
from clawstream.processors.replay.selection import Selection
from clawstream.processors.settings import ProcessorsSettings


def test_what_files_hold_is_part_of_the_plan(tmp_path: Path) -> None:
    function, prompt = tmp_path / "mine.py", tmp_path / "prompt.txt"
    function.write_text("x = 1")
    prompt.write_text("Grade it.")
    judge = {"kind": "judge", "name": "j", "url": "http://judge", "model": "m", "prompt": str(prompt)}
    settings = ProcessorsSettings.model_validate({"include": f"{function}, json", "rewards": [judge]})
    first = plan_of(settings, Selection())
    assert len(first["contents"]) == 3
    assert plan_of(settings, Selection()) == first
    prompt.write_text("Grade it well.")
    assert plan_of(settings, Selection()) != first
    prompt.write_text("Grade it.")
    function.write_text("x = 2")
    assert plan_of(settings, Selection()) != first
    function.write_text("x = 1")
    assert plan_of(settings, Selection(trajectories=frozenset({"t1"}))) != first
    assert plan_of(settings, Selection()) == first
