"""Task files: what is read, and which lines are named."""

from pathlib import Path

import pytest

from clawstream.agents.errors import TaskError
from clawstream.agents.tasks import read_tasks


def written(folder: Path, content: bytes) -> Path:
    path = folder / "tasks.jsonl"
    path.write_bytes(content)
    return path


def test_each_line_is_a_task_named_by_its_id_or_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, b'\xef\xbb\xbf{"id": "a", "n": 1}\r\n\n{"id": 7}\n  \n{"n": [2]}')
    tasks = read_tasks(path)
    assert [task.content for task in tasks] == [{"id": "a", "n": 1}, {"id": 7}, {"n": [2]}]
    assert [task.name for task in tasks] == ["a", "7", f"{path}:5"]


def test_bad_lines_are_named_with_file_and_number(tmp_path: Path) -> None:
    path = written(tmp_path, b'{"n": 1}\n{"n": \n[1]\n\xff\n{"n": 2}\n')
    with pytest.raises(TaskError) as caught:
        read_tasks(path)
    for number in (2, 3, 4):
        assert f"{path}:{number}: " in str(caught.value)
    assert f"{path}:1: " not in str(caught.value)
    assert "more" not in str(caught.value)


def test_many_bad_lines_are_counted(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"; and 95 more$"):
        read_tasks(written(tmp_path, b"x\n" * 100))


def test_a_file_without_tasks_is_none(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="holds no task"):
        read_tasks(written(tmp_path, b"\n"))
    with pytest.raises(TaskError, match=r"missing\.jsonl cannot be read: No such file"):
        read_tasks(tmp_path / "missing.jsonl")
    with pytest.raises(TaskError, match="cannot be read: Is a directory"):
        read_tasks(tmp_path)
