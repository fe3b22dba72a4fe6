"""Log-probabilities equal those of the whole distribution, token by token."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from clawstream.trainer.batches.batch import collate_sequences
from clawstream.trainer.batches.packed import Packed, pack
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.models import language
from clawstream.trainer.models.language import Critic, Policy, limits_of, load_language_model
from tests.tiny_model import MAX_TOKENS, VOCABULARY_SIZE, make_tiny_model
from tests.trainer.trees import BRANCHING, a_path

WINDOW = collate_sequences([BRANCHING, [a_path([7, 8, 9, 10], ("x", 2, 4), temperature=0.7)]])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def policy(folder: Path) -> Policy:
    return Policy(load_language_model(folder, torch.float32))


@pytest.fixture
def packed() -> Packed:
    return pack(WINDOW, torch.tensor([0, 1]), torch.device("cpu"))


def distributions(policy: Policy) -> Tensor:
    """Log-probabilities of every token in place of each sampled one, ``[m, vocabulary]``, one sequence at a time."""
    rows = pack(WINDOW, torch.tensor([0, 1]), torch.device("cpu"), as_rows=True)
    with torch.no_grad():
        logits = policy.language_model(input_ids=rows.input_ids).logits.double().flatten(0, 1)[rows.source]
    return (logits / rows.tokens.temperatures.double()[:, None]).log_softmax(dim=-1)


def test_logprobs_are_of_the_tempered_distribution_before_each_token(policy: Policy, packed: Packed) -> None:
    logprobs, *_ = policy(packed)
    expected = distributions(policy).gather(1, packed.tokens.ids[:, None])[:, 0]
    torch.testing.assert_close(logprobs.double(), expected, atol=1e-5, rtol=1e-5)


def test_entropy_has_a_gradient_where_it_is_asked_for(policy: Policy, packed: Packed) -> None:
    assert not policy(packed)[1].requires_grad
    _, entropies, *_ = policy(packed, True)
    assert entropies.requires_grad
    expected = torch.distributions.Categorical(logits=distributions(policy)).entropy()
    torch.testing.assert_close(entropies.detach().double(), expected, atol=1e-4, rtol=1e-4)


def test_top_tokens_and_tokens_that_are_named(policy: Policy, packed: Packed) -> None:
    *_, top_logprobs, top_ids = policy(packed, False, 3)
    expected = distributions(policy).topk(3)
    torch.testing.assert_close(top_logprobs.double(), expected.values, atol=1e-4, rtol=1e-4)
    assert torch.equal(top_ids, expected.indices)
    *_, named, _ = policy(packed, False, top_ids.flip(1))
    torch.testing.assert_close(named, top_logprobs.flip(1))


def test_chunks_give_the_same_values_and_gradients(
    policy: Policy, packed: Packed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gradient() -> tuple[Tensor, Tensor]:
        policy.zero_grad()
        logprobs, *_ = policy(packed)
        logprobs.sum().backward()
        return logprobs.detach(), policy.language_model.get_input_embeddings().weight.grad.clone()

    whole = gradient()
    monkeypatch.setattr(language, "_MAX_LOGITS", 4 * VOCABULARY_SIZE)
    for found, expected in zip(gradient(), whole, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_gradient_checkpointing_changes_nothing(folder: Path, policy: Policy, packed: Packed) -> None:
    saving = Policy(load_language_model(folder, torch.float32, gradient_checkpointing=True))
    for module in (policy, saving):
        module.zero_grad()
        module(packed)[0].sum().backward()
    for one, other in zip(policy.parameters(), saving.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-5, rtol=1e-4)


def test_critic_begins_at_zero(folder: Path, packed: Packed) -> None:
    critic = Critic(load_language_model(folder, torch.float32))
    assert not critic(packed).any()
    critic.head.bias.data.fill_(1.0)
    assert torch.equal(critic(packed), torch.ones(len(packed.tokens.ids)))


def test_limits(policy: Policy) -> None:
    limits = limits_of(policy.language_model)
    assert (limits.max_positions, limits.vocabulary_size) == (MAX_TOKENS, VOCABULARY_SIZE)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainerError, match="holds no causal language model"):
        load_language_model(tmp_path, torch.float32)


def test_a_head_that_changes_logits_is_refused(folder: Path, tmp_path: Path) -> None:
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = (tmp_path / "config.json").read_text().replace("{", '{"logits_scaling": 8.0,', 1)
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(TrainerError, match="logits_scaling changes the logits"):
        load_language_model(tmp_path, torch.float32)
