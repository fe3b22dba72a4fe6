"""Windows: each sample in exactly one, with the offsets that cover it."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from clawstream.schemas import PolicySpan, Sample
from clawstream.streams.reading.consumer import Received
from clawstream.streams.windows.seen import SeenSamples
from clawstream.streams.windows.usable import ModelLimits, unusable
from clawstream.streams.windows.window import MAX_UNTRAINED, Window, WindowAssembler, WindowLimits
from tests.builders import a_sample, a_sequence

MODEL = ModelLimits(max_positions=100, vocabulary_size=100)


def assembler(
    samples: int = 3,
    tokens: int = 1000,
    seconds: float = 10.0,
    policy_lag: int = 1,
    seen: SeenSamples | None = None,
    **fields: Any,
) -> WindowAssembler:
    limits = WindowLimits(samples=samples, tokens=tokens, seconds=seconds, policy_lag=policy_lag, **fields)
    return WindowAssembler(limits, lambda s, v: unusable(s, MODEL, v), seen or SeenSamples(10_000), {})


def received(sample: Sample, offset: int = 0, partition: int = 0) -> Received[Sample]:
    return Received(record=sample, partition=partition, offset=offset, timestamp_ms=0)


def ids(window: Window) -> list[str]:
    return [sample.sample_id for sample in window.samples]


def reasons(window: Window) -> list[str]:
    return [discard.reason for discard in window.discarded]


def test_closes_by_samples() -> None:
    windows = assembler(samples=2)
    windows.add(received(a_sample()), 0, 0.0)
    assert not windows.due(0.0)
    assert windows.room == 1
    windows.add(received(a_sample()), 0, 0.0)
    assert windows.due(0.0)


def test_closes_by_tokens() -> None:
    windows = assembler(tokens=8)
    windows.add(received(a_sample()), 0, 0.0)
    assert not windows.due(0.0)
    windows.add(received(a_sample()), 0, 0.0)
    assert windows.due(0.0)


def test_closes_by_whole_groups() -> None:
    windows = assembler(samples=9, groups=1)
    for group in ("a", "b"):
        windows.add(received(a_sample(group_id=group, size=2)), 0, 0.0)
        assert not windows.due(0.0)
    windows.add(received(a_sample(group_id="b", size=2)), 0, 0.0)
    assert windows.due(0.0)


def test_groups_of_equal_rewards_take_no_place_where_the_algorithm_drops_them() -> None:
    windows = assembler(samples=2, drop_flat_groups=True)
    windows.add(received(a_sample(1.0, 1.0, 0.0, 8)), 0, 0.0)
    assert windows.room == 2
    assert reasons(windows.close()) == ["flat: all 8 rewards of its group are 1"]


def test_closes_by_time_after_its_first_sample_without_new_traffic() -> None:
    windows = assembler(seconds=10.0)
    assert not windows.due(1e9)
    windows.add(received(a_sample()), 0, 5.0)
    assert not windows.due(14.9)
    assert windows.due(15.0)
    windows.close()
    assert not windows.due(1e9)


def test_what_must_not_train_is_named() -> None:
    windows = assembler(samples=9)
    first = a_sample(sequences=[a_sequence([1], [2], version=5)])
    for sample in (
        first,
        first,
        a_sample(channel="mine"),
        a_sample(sequences=[]),
        a_sample(sequences=[a_sequence([1], [2], version=3)]),
        a_sample(sequences=[a_sequence([1], [2], version=4)]),
    ):
        windows.add(received(sample), 5, 0.0)
    window = windows.close()
    assert len(window.samples) == 2
    assert reasons(window) == [
        "repeated: consumed before",
        "channel: mine does not train",
        "unusable: it has no sequence",
        "stale: 2 versions behind, at most 1 train",
    ]


def test_validation_is_looked_at_and_takes_no_place() -> None:
    windows = assembler(samples=1)
    old = a_sample(channel="val", sequences=[a_sequence([1], [2], version=0)])
    for sample in (old, old, a_sample(channel="val", sequences=[])):
        windows.add(received(sample), 9, 0.0)
    assert windows.room == 1
    assert not windows.due(1e9)  # nothing of it trains
    window = windows.close()
    assert [sample.sample_id for sample in window.validation] == [old.sample_id]
    assert reasons(window) == ["repeated: consumed before", "unusable: it has no sequence"]


def test_a_sample_trains_while_any_of_its_tokens_is_young_enough() -> None:
    windows = assembler(policy_lag=2)
    spans = [PolicySpan(version=1, start=1, end=2), PolicySpan(version=7, start=2, end=3)]
    long = a_sample(sequences=[msgspec.structs.replace(a_sequence([1], [2, 3]), policy_spans=spans)])
    windows.add(received(long), 9, 0.0)
    windows.add(received(msgspec.structs.replace(long, sample_id="late")), 10, 0.0)
    window = windows.close()
    assert ids(window) == [long.sample_id]
    assert reasons(window) == ["stale: 3 versions behind, at most 2 train"]


def test_repeats_are_known_after_a_restart() -> None:
    windows, sample = assembler(), a_sample()
    windows.add(received(sample), 0, 0.0)
    again = assembler(seen=SeenSamples(10, windows.seen.pack()))
    again.add(received(sample), 0, 0.0)
    assert reasons(again.close()) == ["repeated: consumed before"]


def test_discards_alone_never_wait_for_ever() -> None:
    windows = assembler()
    for offset in range(MAX_UNTRAINED):
        assert not windows.due(1e9)
        windows.add(received(a_sample(channel="val"), offset), 0, 0.0)
    assert windows.due(0.0)


def test_reading_goes_on_after_what_is_in_the_open_window() -> None:
    windows = assembler()
    windows.add(received(a_sample(), offset=7, partition=2), 0, 0.0)
    assert windows.positions([1, 2]) == {1: 0, 2: 8}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),  # partition
            st.integers(0, 30),  # sample
            st.sampled_from(["train", "train", "val"]),
            st.integers(0, 3),  # version
        ),
        max_size=60,
    ),
    st.integers(1, 5),
)
def test_each_sample_is_in_one_window_and_offsets_cover_exactly_the_windows(
    arrivals: list[tuple[int, int, str, int]], samples: int
) -> None:
    windows = assembler(samples=samples)
    closed: list[Window] = []
    offsets: dict[int, int] = {}
    for partition, number, channel, version in arrivals:
        sample = a_sample(sample_id=str(number), channel=channel, sequences=[a_sequence([1], [2], version=version)])
        windows.add(received(sample, offsets.get(partition, 0), partition), 3, 0.0)
        offsets[partition] = offsets.get(partition, 0) + 1
        if windows.due(0.0):
            closed.append(windows.close())
            assert closed[-1].next_offsets == offsets
            assert len(closed[-1].samples) == samples
    closed.append(windows.close())
    trained = [sample_id for window in closed for sample_id in ids(window)]
    assert len(trained) == len(set(trained))
    assert sum(len(w.samples) + len(w.validation) + len(w.discarded) for w in closed) == len(arrivals)
    named = {sample.sample_id for window in closed for sample in (*window.samples, *window.validation)}
    named |= {discard.sample_id for window in closed for discard in window.discarded}
    assert named == {str(number) for _, number, _, _ in arrivals}
    assert not windows.due(1e9)


def test_what_was_passed_is_told_once_and_only_while_nothing_is_open() -> None:
    windows = assembler(samples=1, tenant="acme")
    assert windows.passed() == {}
    windows.add(received(a_sample(tenant="other"), 0), 0, 0.0)
    assert [windows.passed(), windows.passed()] == [{0: 1}, {}]
    windows.add(received(a_sample(tenant="acme"), 1), 0, 0.0)
    windows.add(received(a_sample(tenant="other"), 2), 0, 0.0)
    assert windows.passed() == {}  # a restart reads sample 1 again
    assert windows.close().next_offsets == {0: 3}
    assert windows.passed() == {}  # the window has told it


def test_tenants_that_are_left_out_are_passed_like_others_of_a_tenants_trainer() -> None:
    windows = assembler(samples=2, left_out=frozenset({"acme"}))
    for offset, tenant in enumerate(("acme", "other", "acme", "default")):
        windows.add(received(a_sample(sample_id=f"s{offset}", tenant=tenant), offset), 0, 0.0)
    window = windows.close()
    assert (ids(window), window.discarded, window.next_offsets) == (["s1", "s3"], (), {0: 4})


def test_other_tenants_samples_are_passed_and_nothing_of_them_is_kept() -> None:
    windows = assembler(samples=2, tenant="acme")
    for offset, tenant in enumerate(("acme", "other", "acme", "other")):
        windows.add(received(a_sample(sample_id=f"s{offset}", tenant=tenant), offset), 0, 0.0)
    window = windows.close()
    assert (ids(window), reasons(window), window.next_offsets) == (["s0", "s2"], [], {0: 4})
    assert "s1" not in windows.seen


def test_what_another_model_sampled_is_discarded_and_its_lag_is_not_counted() -> None:
    windows = assembler(model="policy-acme", base="policy")
    for name, model, version in (("a", "policy", 0), ("b", "policy-acme", 3), ("c", "policy", 4)):
        sample = a_sample(sample_id=name, sequences=[a_sequence([1], [2], version=version, model=model)])
        windows.add(received(sample), 4, 0.0)
    window = windows.close()
    assert ids(window) == ["b"]
    assert reasons(window) == [
        "stale: 4 versions behind, at most 1 train",  # its base's version 0 is its own
        "model: policy sampled it, and policy-acme is trained",
    ]
