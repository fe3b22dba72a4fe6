from pathlib import Path

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from clawstream.dataset.parquet import ParquetFile, cells_of, read_columns, read_rows
from clawstream.dataset.row import Row, Said
from clawstream.schemas import pack_logprobs, pack_tokens
from tests.dataset.builders import a_row

SAID = st.builds(
    Said,
    source=st.just("judge"),
    kind=st.just("outcome"),
    step_id=st.none() | st.just("s1"),
    value=st.none() | st.floats(allow_nan=False),
    hint=st.none() | st.text(),
)
ROWS = st.lists(
    st.builds(
        lambda tokens, rewards, text, tags: a_row(
            tokens=pack_tokens(tokens),
            logprobs=pack_logprobs([-1.0] * len(tokens)),
            rewards=rewards,
            tags=tags,
            node=text,
        ),
        st.lists(st.integers(0, 2**31 - 1), max_size=5),
        st.lists(SAID, max_size=2),
        st.text(),
        st.lists(st.text(), max_size=2),
    ),
    max_size=4,
)


def write(path: Path, rows: list[Row]) -> Path:
    file = ParquetFile(path)
    for row in rows:
        file.add(*cells_of(row))
    file.close()
    return path


@given(rows=ROWS)
@settings(max_examples=20)
def test_rows_come_back_as_they_were(tmp_path_factory: object, rows: list[Row]) -> None:
    folder = tmp_path_factory.mktemp("parquet")  # type: ignore[attr-defined]
    path = write(folder / "one.parquet", rows)
    assert list(read_rows(path)) == rows
    assert write(folder / "two.parquet", rows).read_bytes() == path.read_bytes()


def test_large_rows_make_several_row_groups(tmp_path: Path) -> None:
    rows = [a_row(f"t{number}", tokens=bytes(2**21), logprobs=bytes(2**21)) for number in range(3)]
    path = write(tmp_path / "large.parquet", rows)
    assert pq.ParquetFile(path).num_row_groups == 3
    assert list(read_rows(path)) == rows
    assert [row["trajectory_id"] for row in read_columns(path, ["trajectory_id"])] == ["t0", "t1", "t2"]
