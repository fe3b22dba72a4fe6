"""Every sample once an epoch, in an order that seed and version alone decide."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from clawstream.trainer.updates.minibatches import micro_batches, minibatches, rank_share


@given(st.integers(1, 40), st.integers(1, 3), st.integers(1, 9), st.integers(0, 5), st.integers(0, 5))
def test_each_epoch_takes_every_sample_once(samples: int, epochs: int, count: int, seed: int, version: int) -> None:
    parts = list(minibatches(samples, epochs=epochs, count=count, seed=seed, version=version))
    each = min(count, samples)
    assert len(parts) == epochs * each
    for epoch in range(epochs):
        taken = torch.cat(parts[epoch * each : (epoch + 1) * each]).tolist()
        assert sorted(taken) == list(range(samples))


def test_order_follows_seed_and_version_alone() -> None:
    def order(seed: int, version: int) -> list[int]:
        return torch.cat(list(minibatches(50, epochs=1, count=2, seed=seed, version=version))).tolist()

    assert order(1, 2) == order(1, 2)
    assert order(1, 2) != order(1, 3)
    assert order(1, 2) != order(2, 2)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 120))
def test_micro_batches_hold_every_sample_within_the_budget(sizes: list[int], max_tokens: int) -> None:
    of_samples, samples = torch.tensor(sizes), torch.arange(len(sizes))
    parts = list(micro_batches(of_samples, samples, max_tokens))
    assert sorted(torch.cat(parts).tolist()) == samples.tolist()
    for part in parts:
        assert len(part) == 1 or int(of_samples[part].sum()) <= max_tokens
    totals = sorted(int(of_samples[part].sum()) for part in parts)
    assert len(totals) < 2 or totals[0] + totals[1] > max_tokens  # no two would have fitted into one


@given(st.integers(1, 9), st.integers(1, 4))
def test_ranks_share_all_parts_and_make_as_many_passes(part_count: int, rank_count: int) -> None:
    parts = [torch.tensor([number]) for number in range(part_count)]
    shares = [list(rank_share(parts, rank, rank_count)) for rank in range(rank_count)]
    assert len({len(share) for share in shares}) == 1
    counted = [int(part) for share in shares for part, weight in share if weight]
    assert sorted(counted) == list(range(part_count))
