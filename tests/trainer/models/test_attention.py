"""A packed trajectory gives the log-probabilities, losses and gradients of its steps, each computed alone."""

from typing import Any

import pytest
import torch
from torch import Tensor

from clawstream.schemas import Sequence, unpack_tokens
from clawstream.trainer.batches.batch import collate_sequences
from clawstream.trainer.batches.packed import pack
from clawstream.trainer.models.attention import NAME, can_pack
from clawstream.trainer.models.language import Policy, load_language_model, packs
from tests.tiny_model import make_tiny_model
from tests.trainer.trees import BRANCHING, a_path

CPU = torch.device("cpu")
WINDOW = [BRANCHING, [a_path(list(range(50, 90)), ("a", 5, 30), ("b", 33, 40))], [a_path([1, 2, 3], ("c", 1, 3))]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_language_model(make_tiny_model(tmp_path_factory.mktemp("model")), torch.float64)


def alone(model: Any, sequence: Sequence, start: int, end: int, temperature: float) -> Tensor:
    """Log-probabilities of one step, by the plain model over its whole prompt and answer."""
    tokens = torch.tensor(unpack_tokens(sequence.tokens)[:end].astype("int64"))
    logits = model(input_ids=tokens[None]).logits[0, start - 1 : end - 1] / temperature
    return logits.log_softmax(dim=-1).gather(1, tokens[start:, None])[:, 0]


def gradients(model: Any, loss: Tensor) -> list[Tensor]:
    model.zero_grad()
    loss.backward()
    return [parameter.grad.clone() for parameter in model.parameters()]


@pytest.mark.parametrize("as_rows", [False, True], ids=["packed", "rows"])
def test_values_losses_and_gradients_equal_those_of_unpacked_steps(model: Any, as_rows: bool) -> None:
    batch = collate_sequences(WINDOW)
    packed = pack(batch, torch.tensor([0, 1, 2]), CPU, as_rows=as_rows)
    logprobs, *_ = Policy(model)(packed)
    unpacked = torch.cat(
        [
            alone(model, sequence, span.start, span.end, span.temperature)
            for sequences in WINDOW
            for sequence in sequences
            for span in sequence.responses
        ]
    )
    torch.testing.assert_close(logprobs, unpacked, rtol=1e-10, atol=1e-10)
    weights = torch.linspace(-1, 1, len(logprobs), dtype=torch.float64)
    found = gradients(model, (weights * logprobs.exp()).sum())
    expected = gradients(model, (weights * unpacked.exp()).sum())
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-8)  # its norms compute in float32


def test_a_shared_prefix_is_computed_once() -> None:
    batch = collate_sequences([BRANCHING])
    assert pack(batch, torch.tensor([0]), CPU).computed == 14
    assert pack(batch, torch.tensor([0]), CPU, as_rows=True).computed == 30


def test_only_plain_causal_attention_is_replaced(model: Any) -> None:
    assert packs(model)
    assert model.config._attn_implementation == NAME
    config = type("Config", (), {"layer_types": ["full_attention"], "sliding_window": None})
    assert can_pack(type(model), config)
    assert not can_pack(type(model), type("Sliding", (config,), {"layer_types": ["sliding_attention"]}))
    assert not can_pack(type(model), type("Windowed", (config,), {"sliding_window": 4096}))
    assert not can_pack(type(model), type("Capped", (config,), {"attn_logit_softcapping": 50.0}))
    assert not can_pack(object, config)
