from collections.abc import Iterator

import pytest

from tests.rollout.fake_vllm import FakeVllm, fake_vllm


@pytest.fixture
def vllm() -> Iterator[FakeVllm]:
    """Control routes without an engine."""
    with fake_vllm() as running:
        yield running
