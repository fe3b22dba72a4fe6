from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from clawstream.processors.rewards import RewardError, loading
from clawstream.processors.rewards.loading import distinct, included, installed

SOURCE = """
from clawstream.processors.rewards import Episode, reward

@reward
def {name}(episode: Episode) -> float:
    return 1.0
"""


def written(folder: Path, file: str, text: str) -> str:
    (folder / file).write_text(text)
    return str(folder / file)


def test_a_files_rewards_are_found_in_order(tmp_path: Path) -> None:
    text = SOURCE.format(name="first") + SOURCE.format(name="second")
    assert [scorer.name for scorer in included([written(tmp_path, "mine_a.py", text)])] == ["first", "second"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1", "holds no reward processor"),
        ("import no_such_thing", "cannot be loaded: ModuleNotFoundError"),
        ("def f(:", "cannot be loaded: SyntaxError"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    file = written(tmp_path, "mine_b.py", text)
    with pytest.raises(RewardError, match=rf"mine_b.py {sentence}"):
        included([file])


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(RewardError, match=r"nowhere\.py does not exist"):
        included(["nowhere.py"])


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    files = [written(tmp_path, name, SOURCE.format(name="same")) for name in ("mine_c.py", "mine_d.py")]
    with pytest.raises(RewardError, match="two reward processors are named same"):
        distinct(included(files))


def test_an_installed_package_brings_its_rewards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "mine_e.py", SOURCE.format(name="packaged"))
    monkeypatch.syspath_prepend(tmp_path)
    for value in ("mine_e", "mine_e:packaged"):
        entry = EntryPoint(name="e", value=value, group=loading.ENTRY_POINT)
        monkeypatch.setattr(loading, "entry_points", lambda group, entry=entry: [entry])
        assert [scorer.name for scorer in installed()] == ["packaged"]
    entry = EntryPoint(name="e", value="mine_e:Episode", group=loading.ENTRY_POINT)
    monkeypatch.setattr(loading, "entry_points", lambda group: [entry])
    with pytest.raises(RewardError, match="entry point e = mine_e:Episode is no reward processor"):
        installed()
