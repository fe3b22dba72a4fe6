"""Tiny models need one thread: more of them only wait for each other where many processes share few cores."""

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
