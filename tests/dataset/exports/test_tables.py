from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from clawstream.dataset.errors import DatasetError
from clawstream.dataset.exports import export
from clawstream.dataset.exports.padding import padded
from tests.builders import a_sequence
from tests.dataset.builders import a_dataset, a_row


def quiet(what: str, done: int, total: int, /) -> None:
    assert what == "exporting"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    calls = '[{"id": "c1", "function": {"name": "add", "arguments": "{}"}}]'
    talk = f'[{{"role":"user","content":"hi"}},{{"role":"assistant","content":null,"tool_calls":{calls}}}]'
    rows = [a_row("a", "g1"), a_row("b", "g2", reward=0.5, messages_json=talk, metadata_json='{"answer": 42}')]
    return a_dataset(tmp_path / "v1", rows, splits={"train": 0.5, "test": 0.5}, seed="x")


def test_hugging_face_loads_it(dataset: Path, tmp_path: Path) -> None:
    from datasets import load_dataset  # here, since it takes seconds

    assert sum(export(dataset, "huggingface", tmp_path / "hf", quiet).values()) == 2
    loaded: Any = load_dataset(str(tmp_path / "hf"), cache_dir=str(tmp_path / "cache"))
    rows = {row["trajectory_id"]: row for split in loaded.values() for row in split}
    assert rows["a"]["tokens"] == [1, 2, 3, 4]
    assert rows["a"]["messages"][1]["content"] == "answer of a"
    assert rows["b"]["messages"][1]["tool_calls"] == '[{"id":"c1","function":{"name":"add","arguments":"{}"}}]'
    assert rows["a"]["started_at"].year == 2026


def test_hugging_face_loads_the_files_as_they_are_built(dataset: Path, tmp_path: Path) -> None:
    from datasets import Dataset

    files = [str(path) for path in sorted((dataset / "data").iterdir())]
    loaded: Any = Dataset.from_parquet(files, cache_dir=str(tmp_path / "cache"))
    assert sorted(loaded["trajectory_id"]) == ["a", "b"]


def test_verl_gets_prompts_and_what_was_sampled(dataset: Path, tmp_path: Path) -> None:
    export(dataset, "verl", tmp_path / "verl", quiet)
    rows = [row for path in sorted((tmp_path / "verl").iterdir()) for row in pq.read_table(path).to_pylist()]
    row = next(row for row in rows if row["uid"] == "g2")
    assert (row["prompts"], row["responses"], row["response_mask"]) == ([1, 2], [3, 4], [1, 1])
    assert (row["data_source"], row["reward"], row["rollout_log_probs"]) == ("made", 0.5, [-0.5, -0.5])
    assert row["reward_model"] == {"style": "rule", "ground_truth": "42"}
    assert row["prompt"][0]["content"] == "hi"

    arrays = padded(rows, prompt_length=3, response_length=4, pad_token_id=9)
    at = rows.index(row)
    assert arrays["input_ids"][at].tolist() == [9, 1, 2, 3, 4, 9, 9]
    assert arrays["attention_mask"][at].tolist() == [0, 1, 1, 1, 1, 0, 0]
    assert arrays["position_ids"][at].tolist() == [0, 0, 1, 2, 3, 3, 3]
    assert arrays["response_mask"][at].tolist() == [1, 1, 0, 0]
    assert arrays["rm_scores"][at].tolist() == [0, 0.5, 0, 0]
    assert arrays["rollout_log_probs"].dtype == np.float32
    with pytest.raises(DatasetError, match="has 2 tokens of a prompt and 2 of a response; there is room for 1 and 4"):
        padded(rows, 1, 4, 0)


def test_later_turns_are_responses_with_a_mask(tmp_path: Path) -> None:
    sequence = a_sequence([1], [2, 3])
    spans = [*sequence.responses, a_sequence([1, 2, 3, 4], [5]).responses[0]]
    tokens, logprobs = a_sequence([1, 2, 3, 4], [5]).tokens, a_sequence([1, 2, 3, 4], [5]).logprobs
    row = a_row(tokens=tokens, logprobs=logprobs, responses=spans)
    export(a_dataset(tmp_path / "v1", [row]), "verl", tmp_path / "verl", quiet)
    (found,) = pq.read_table(tmp_path / "verl" / "train.parquet").to_pylist()
    assert (found["prompts"], found["responses"], found["response_mask"]) == ([1], [2, 3, 4, 5], [1, 1, 0, 1])


def test_the_same_dataset_gives_the_same_bytes(dataset: Path, tmp_path: Path) -> None:
    for form in ("chat", "preferences", "huggingface", "verl"):
        export(dataset, form, tmp_path / f"{form}1", quiet)
        export(dataset, form, tmp_path / f"{form}2", quiet)
        for path in (tmp_path / f"{form}1").rglob("*.*"):
            again = tmp_path / f"{form}2" / path.relative_to(tmp_path / f"{form}1")
            assert again.read_bytes() == path.read_bytes()
    with pytest.raises(DatasetError, match="is there already"):
        export(dataset, "chat", tmp_path / "chat1", quiet)
