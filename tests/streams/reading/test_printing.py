"""Records for people and for scripts."""

import json

import msgspec
import pytest

from clawstream.schemas import Record
from clawstream.schemas.records import RECORDS
from clawstream.streams.reading.printing import brief, plain
from tests.builders import a_feedback, a_reward, a_sample, a_step, a_trajectory, a_version
from tests.gateway.samples import a_node


@pytest.mark.parametrize(
    "record", [a_step(), a_feedback(), a_reward(), a_trajectory(), a_sample(), a_version(), a_node()], ids=type
)
def test_every_record_is_json(record: Record) -> None:
    assert type(record) in RECORDS
    assert set(json.loads(msgspec.json.encode(plain(record)))) == set(record.__struct_fields__)
    assert msgspec.json.encode(brief(record))


def test_tokens_are_numbers_for_scripts_and_counted_for_people() -> None:
    step = a_step(response=[5, 6, 7], text="x" * 300)
    assert plain(step)["response_tokens"] == [5, 6, 7]
    shown = brief(step)
    assert (shown["response_tokens"], shown["response_logprobs"]) == ("3 tokens", "3 log-probabilities")
    assert (len(shown["text"]) < 250, "branch_reason" in shown) == (True, False)
