import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawstream.dataset.errors import DatasetError
from clawstream.dataset.splitting import read_splits, split_of


@given(groups=st.sets(st.text(), min_size=1), seed=st.text())
def test_a_larger_first_share_gives_no_group_away(groups: set[str], seed: str) -> None:
    small, large = ({"train": share, "test": 1 - share} for share in (0.5, 0.8))
    in_small = {group for group in groups if split_of("acme", group, small, seed) == "train"}
    assert in_small <= {group for group in groups if split_of("acme", group, large, seed) == "train"}


def test_shares_are_about_what_was_asked() -> None:
    splits = read_splits(["train=0.7", "val=0.2", "test=0.1"])
    found = [split_of("acme", f"g{number}", splits, "") for number in range(2000)]
    assert [round(found.count(name) / 2000, 1) for name in splits] == [0.7, 0.2, 0.1]


@pytest.mark.parametrize("texts", [["train"], ["train=a"], ["train=0.9"], ["train=1.1"], ["a b=1"], ["train=0", "x=1"]])
def test_shares_that_are_none_are_said(texts: list[str]) -> None:
    with pytest.raises(DatasetError, match="share"):
        read_splits(texts)
