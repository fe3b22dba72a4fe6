"""Random numbers of the shapes that losses take: 14 sampled tokens in 3 rows of 5 steps."""

import torch
from torch import Tensor

ROW = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2])
STEP = torch.tensor([0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 4])
SAMPLE = torch.tensor([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1])
ROW_COUNT = 3


def logprobs(seed: int, spread: float = 1.0) -> Tensor:
    """Log-probabilities ``[14]`` float64."""
    return -2 - spread * normal(seed)


def normal(seed: int) -> Tensor:
    """Standard normal numbers ``[14]`` float64."""
    return torch.randn(len(ROW), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_row(values: Tensor, row: Tensor = ROW) -> list[list[float]]:
    """``values`` as a list of each row."""
    return [values[row == number].tolist() for number in range(int(row.max()) + 1)]
