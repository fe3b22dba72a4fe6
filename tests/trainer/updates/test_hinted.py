"""Hinted steps: other prompts, the same responses; and what is learnt from them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from clawstream.schemas import Sample, pack_logprobs, unpack_tokens
from clawstream.trainer.algorithms.hints import top_k_divergence
from clawstream.trainer.batches.batch import collate
from clawstream.trainer.models.engine import start_ranks
from clawstream.trainer.models.hint_writer import HintWriter
from clawstream.trainer.models.learners import Learners, load_learners
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.updates.hinted import hinted_steps, places
from clawstream.trainer.updates.look import look
from clawstream.trainer.updates.targets import make_targets
from clawstream.trainer.updates.update import update
from tests.builders import a_reward, a_sample
from tests.tiny_model import make_tiny_model
from tests.trainer.trees import a_path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    start_ranks()
    return make_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def writer(folder: Path) -> HintWriter:
    return HintWriter(folder)


def a_talk(writer: HintWriter, hint: str | None, value: float | None, **fields: Any) -> Sample:
    """Two steps at temperature 0.6, s1 and s2; ``hint`` and ``value`` are said of s2."""
    ending = writer._after_message
    prompt = [1, 2, 3, *ending]
    second = [*prompt, 60, 61, 62, *ending]
    tokens = [*second, 70, 71]
    path = a_path(tokens, ("s1", len(prompt), len(prompt) + 2), ("s2", len(second), len(second) + 2), temperature=0.6)
    said = [a_reward(value, step_id="s2", kind="process", hint=hint)]
    return a_sample(0.0, step_ids=["s1", "s2"], sequences=[path], rewards=said, **fields)


def a_try(writer: HintWriter, response: list[int]) -> Sample:
    """One hinted step with its prompt, as the processors put it out where each step is ready by itself."""
    prompt = [1, 2, 3, *writer._after_message]
    path = a_path([*prompt, *response], ("s1", len(prompt), len(prompt) + len(response)), temperature=0.6)
    said = [a_reward(0.0, step_id="s1", kind="process", hint="be brief")]
    return a_sample(0.0, step_ids=["s1"], sequences=[path], rewards=said)


def loaded(folder: Path, **fields: Any) -> tuple[Learners, TrainerSettings]:
    settings = TrainerSettings(model=folder, **({"learning_rate": 1e-3} | fields))
    return load_learners(settings, folder, folder), settings


def test_only_hinted_steps_are_read_with_their_own_tokens(writer: HintWriter) -> None:
    samples = [a_talk(writer, None, 1.0), a_talk(writer, "be brief", 1.0)]
    [step] = hinted_steps(samples, writer, 4096)
    assert (step.sample, step.step_id) == (1, "s2")
    [span] = step.sequence.responses
    assert unpack_tokens(step.sequence.tokens)[span.start : span.end].tolist() == [70, 71]
    assert span.temperature == pytest.approx(0.6)
    batch = collate(samples)
    assert batch.tokens.ids[places([step], batch)].tolist() == [70, 71]
    assert batch.tokens.sample[places([step], batch)].tolist() == [1, 1]
    assert list(hinted_steps(samples, writer, 40)) == []  # the hinted prompt would be too long


@pytest.mark.parametrize("teacher", ["current", "initial"])
def test_null_test_an_unchanged_prompt_and_equal_weights_give_advantage_zero(
    folder: Path, writer: HintWriter, teacher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hint is written as nothing: everything else runs as with a hint, at temperature 0.6."""
    monkeypatch.setattr(HintWriter, "write", lambda self, prompt, hint: list(prompt))
    found, settings = loaded(folder, algorithm="distill", hint_teacher=teacher)
    samples = [a_talk(writer, "be brief", None)]
    batch = collate(samples)
    before = look(found, samples, batch, batch.all_samples, settings)
    targets = make_targets(samples, batch, before, 0, settings)
    assert before.hinted.tolist() == [False, False, True, True]
    torch.testing.assert_close(targets.advantages, torch.zeros(4), atol=1e-4, rtol=0)  # float32


@pytest.mark.parametrize("teacher", ["current", "initial"])
@pytest.mark.parametrize("algorithm", ["distill", "combined"])
def test_null_test_of_steps_by_themselves_is_exact(
    folder: Path, writer: HintWriter, teacher: str, algorithm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Teacher and student then pack the very same sequences, so not even rounding is left of the difference."""
    monkeypatch.setattr(HintWriter, "write", lambda self, prompt, hint: list(prompt))
    found, settings = loaded(folder, algorithm=algorithm, hint_teacher=teacher)
    samples = [a_try(writer, [70 + number, 71, 72]) for number in range(5)]
    batch = collate(samples)
    before = look(found, samples, batch, batch.all_samples, settings)
    targets = make_targets(samples, batch, before, 0, settings)
    assert before.hinted.all()
    assert targets.advantages.tolist() == [0.0] * 15


def test_a_recorded_teacher_counts_where_it_fits_the_tokens(folder: Path, writer: HintWriter) -> None:
    found, settings = loaded(folder, algorithm="distill", hint_teacher="recorded")
    assert found.teacher is None
    samples = [a_try(writer, [70, 71]) for _ in range(4)]
    told = {0: [-0.5, -0.25], 2: [-0.5], 3: [-0.5, float("nan")]}
    for number, logprobs in told.items():
        said = msgspec.structs.replace(samples[number].rewards[0], teacher_logprobs=pack_logprobs(logprobs))
        samples[number] = msgspec.structs.replace(samples[number], rewards=[said])
    batch = collate(samples)
    before = look(found, samples, batch, batch.all_samples, settings)
    targets = make_targets(samples, batch, before, 0, settings)
    assert before.hinted.tolist() == targets.counted.tolist() == [True, True] + [False] * 6
    assert before.teacher.tolist() == [-0.5, -0.25] + [0.0] * 6
    assert torch.equal(targets.advantages[:2], before.teacher[:2] - before.prox[:2])


def test_an_empty_hint_is_none(folder: Path, writer: HintWriter) -> None:
    found, settings = loaded(folder, algorithm="combined")
    samples = [a_talk(writer, "", None)]
    batch = collate(samples)
    targets = make_targets(samples, batch, look(found, samples, batch, batch.all_samples, settings), 0, settings)
    assert not targets.counted.any()
    assert targets.advantages.tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("algorithm", "hint", "value", "counted"),
    [
        ("binary", None, -1.0, [False, False, True, True]),
        ("binary", None, 0.0, [False] * 4),
        ("distill", None, 1.0, [False] * 4),
        ("distill", "be brief", None, [False, False, True, True]),
        ("combined", "be brief", 1.0, [False, False, True, True]),
        ("combined", "be brief", 0.0, [False, False, True, True]),
        ("combined", None, 1.0, [False, False, True, True]),
        ("combined", None, 0.0, [False] * 4),
    ],
)
def test_a_step_trains_when_something_was_said_of_it(
    folder: Path, writer: HintWriter, algorithm: str, hint: str | None, value: float | None, counted: list[bool]
) -> None:
    found, settings = loaded(folder, algorithm=algorithm, hint_weight=2.0, reward_weight=0.5)
    samples = [a_talk(writer, hint, value)]
    batch = collate(samples)
    before = look(found, samples, batch, batch.all_samples, settings)
    targets = make_targets(samples, batch, before, 0, settings)
    assert targets.counted.tolist() == counted
    of_hint = torch.where(before.hinted, before.teacher - before.prox, 0.0)
    expected = {"binary": torch.full((4,), value or 0.0), "distill": of_hint}.get(
        algorithm, 2.0 * of_hint + 0.5 * (value or 0.0)
    )
    torch.testing.assert_close(targets.advantages[targets.counted], expected[targets.counted])


def test_top_k_moves_the_policy_towards_the_whole_of_what_the_hinted_one_says(
    folder: Path, writer: HintWriter, tmp_path: Path
) -> None:
    settings = TrainerSettings(
        model=folder, algorithm="distill", minibatches=1, hint_teacher="initial", hint_top_k=8, learning_rate=1e-3
    )
    found = load_learners(settings, make_tiny_model(tmp_path, seed=1), folder)  # far from its teacher
    samples = [a_talk(writer, "be brief", None)] * 2
    batch = collate(samples)

    def divergence() -> float:
        before = look(found, samples, batch, batch.all_samples, settings)
        with torch.no_grad():
            *_, student, _ = found.policy(found.pack(batch, batch.all_samples), False, before.teacher_ids)
        return float(top_k_divergence(student, before.teacher_top)[before.hinted].mean())

    at_first = divergence()
    for version in range(6):
        update(found, samples, version, settings)
    assert 0 < divergence() < 0.5 * at_first


def test_a_policy_comes_nearer_to_what_the_hinted_one_says(folder: Path, writer: HintWriter) -> None:
    found, settings = loaded(folder, algorithm="distill", minibatches=1, hint_teacher="initial", learning_rate=2e-6)
    samples = [a_talk(writer, "be brief", None)] * 2
    metrics = [update(found, samples, version, settings) for version in range(4)]
    gaps = [abs(each["teacher_gain"]) for each in metrics]
    assert metrics[0]["hinted_fraction"] == 0.5
    assert gaps == sorted(gaps, reverse=True)
