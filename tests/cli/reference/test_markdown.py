"""A table keeps its shape, whatever stands in its cells."""

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from clawstream.cli.reference.markdown import code, page, table

CELLS = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")) | st.sampled_from("|\n `"), max_size=20)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=4))
def test_every_row_has_its_cells(rows: list[tuple[str, str, str]]) -> None:
    types = [token.type for token in MarkdownIt().enable("table").parse(table(("a", "b", "c"), rows))]
    assert types.count("tr_open") == 1 + len(rows)
    assert types.count("td_open") == 3 * len(rows)


def test_parts_stand_apart() -> None:
    assert page("# A\n", "", "one", "  ", "two") == "# A\n\none\n\ntwo\n"


def test_nothing_is_no_code() -> None:
    assert (code("x"), code("")) == ("`x`", "")
