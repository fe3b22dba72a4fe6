"""Log-probabilities equal those of the whole distribution, token by token."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from clawstream.trainer import models
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.models import Critic, Policy, limits_of, load_language_model
from tests.tiny_model import MAX_TOKENS, VOCABULARY_SIZE, make_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def policy(folder: Path) -> Policy:
    return Policy(load_language_model(folder, torch.float32))


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, VOCABULARY_SIZE, (3, 12), generator=generator)
    mask = torch.rand(3, 12, generator=generator) > 0.5
    mask[:, 0] = False
    temperatures = torch.where(torch.arange(12) > 6, 0.5, 1.0).expand(3, 12).contiguous()
    return tokens, mask, temperatures


def expected_logprobs(policy: Policy, tokens: Tensor, mask: Tensor, temperatures: Tensor) -> Tensor:
    with torch.no_grad():
        logits = policy.language_model(input_ids=tokens).logits.double()
    found = torch.zeros(tokens.shape, dtype=torch.float64)
    for row, t in mask.nonzero().tolist():
        distribution = (logits[row, t - 1] / temperatures[row, t].double()).log_softmax(dim=-1)
        found[row, t] = distribution[tokens[row, t]]
    return found


def test_logprobs_are_of_the_tempered_distribution_before_each_token(policy: Policy) -> None:
    logprobs, entropies = policy(*inputs())
    torch.testing.assert_close(logprobs.double(), expected_logprobs(policy, *inputs()), atol=1e-5, rtol=1e-5)
    assert not entropies.any()


def test_entropy_when_it_is_asked_for(policy: Policy) -> None:
    tokens, mask, temperatures = inputs()
    _, entropies = policy(tokens, mask, temperatures, True)
    with torch.no_grad():
        logits = policy.language_model(input_ids=tokens).logits
    row, t = mask.nonzero().tolist()[0]
    expected = torch.distributions.Categorical(logits=logits[row, t - 1] / temperatures[row, t]).entropy()
    torch.testing.assert_close(entropies[row, t], expected, atol=1e-5, rtol=1e-5)
    assert not entropies[~mask].any()


def test_chunks_give_the_same_values_and_gradients(policy: Policy, monkeypatch: pytest.MonkeyPatch) -> None:
    def gradient() -> tuple[Tensor, Tensor]:
        policy.zero_grad()
        logprobs, _ = policy(*inputs())
        logprobs.sum().backward()
        return logprobs.detach(), policy.language_model.get_input_embeddings().weight.grad.clone()

    whole = gradient()
    monkeypatch.setattr(models, "_MAX_LOGITS", 4 * VOCABULARY_SIZE)
    for found, expected in zip(gradient(), whole, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_padding_on_the_right_changes_nothing(policy: Policy) -> None:
    tokens, mask, temperatures = inputs()
    padded = [torch.nn.functional.pad(x, (0, 5), value=value) for x, value in ((tokens, 0), (temperatures, 1.0))]
    wide_mask = torch.nn.functional.pad(mask, (0, 5))
    logprobs, _ = policy(padded[0], wide_mask, padded[1])
    torch.testing.assert_close(logprobs[:, :12], policy(tokens, mask, temperatures)[0], atol=1e-5, rtol=1e-5)


def test_critic_begins_at_zero_and_speaks_of_sampled_tokens_alone(folder: Path) -> None:
    critic = Critic(load_language_model(folder, torch.float32))
    tokens, mask, _ = inputs()
    assert not critic(tokens, mask).any()
    critic.head.bias.data.fill_(1.0)
    assert torch.equal(critic(tokens, mask), mask.float())


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
