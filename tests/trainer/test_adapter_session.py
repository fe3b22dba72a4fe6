"""A session whose versions are adapters: resumed to the bit, and rolled back without its optimiser."""

import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from clawstream.schemas import Sample
from clawstream.streams.windows.window import Window
from clawstream.trainer.errors import TrainerError
from clawstream.trainer.models.engine import start_ranks
from clawstream.trainer.reports import Lags
from clawstream.trainer.session import Session, begin
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.versions.checkpoint import OPTIMIZER_FOLDER, Checkpoints
from clawstream.trainer.versions.rollback import roll_back
from clawstream.trainer.versions.state import Origin
from tests.builders import a_sample
from tests.tiny_model import make_tiny_model

LAGS = Lags(consumer_records=0, publish_versions=None)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    start_ranks()
    return make_tiny_model(tmp_path_factory.mktemp("model"))


def begun(model: Path, folder: Path) -> tuple[TrainerSettings, Checkpoints]:
    settings = TrainerSettings(
        model=model, output_dir=folder, tenant="acme", adapter_of="policy", lora_rank=4, learning_rate=1e-2
    )
    folder.mkdir()
    checkpoints = Checkpoints(folder, settings.keep_snapshots)
    begin(settings, checkpoints)
    return settings, checkpoints


def window(number: int) -> Window:
    samples: tuple[Sample, ...] = tuple(a_sample(reward, sample_id=f"{number}-{reward}") for reward in (0.0, 1.0))
    return Window(samples=samples, validation=(), discarded=(), next_offsets={0: number})


def test_versions_are_adapters_and_a_resumed_run_ends_with_the_same(model: Path, tmp_path: Path) -> None:
    settings, checkpoints = begun(model, tmp_path / "whole")
    session = Session(settings, checkpoints)
    assert (session.state.weights.model, session.state.weights.base) == ("policy-acme", "policy")
    digests = [session.advance(window(number), b"", LAGS).weights.sha256 for number in range(2)]
    assert {path.name for path in checkpoints.path(2).iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "optimizer", "seen.bin", "trainer.json",
    }  # fmt: skip
    settings, checkpoints = begun(model, tmp_path / "resumed")
    for number in range(2):
        found = Session(settings, checkpoints).advance(window(number), b"", LAGS)
    assert found.weights.sha256 == digests[-1] != digests[0]


def test_an_adapter_alone_is_gone_on_from(model: Path, tmp_path: Path) -> None:
    settings, checkpoints = begun(model, tmp_path / "back")
    session = Session(settings, checkpoints)
    for number in range(2):
        session.advance(window(number), b"", LAGS)
    shutil.rmtree(checkpoints.path(1) / OPTIMIZER_FOLDER)
    roll_back(checkpoints, 1)
    published = Session(settings, checkpoints)._learners.weights()
    expected = load_file(checkpoints.path(1) / "adapter_model.safetensors")
    assert {name: of.tolist() for name, of in published.items()} == {name: of.tolist() for name, of in expected.items()}


def test_whole_weights_are_not_gone_on_with_from_an_adapter(model: Path, tmp_path: Path) -> None:
    settings, checkpoints = begun(model, tmp_path / "run")
    whole = settings.model_copy(update={"adapter_of": ""})
    with pytest.raises(TrainerError, match=r"holds adapters of policy, and .* asks for whole weights"):
        Session(whole, checkpoints)


@pytest.mark.parametrize(("prefix", "changed"), [("b-", {}), ("", {"tenant": ""})])
def test_another_pipelines_or_tenants_checkpoint_is_not_gone_on_from(
    model: Path, tmp_path: Path, prefix: str, changed: dict[str, str]
) -> None:
    settings, checkpoints = begun(model, tmp_path / "run")
    first = Session(settings, checkpoints).advance(window(0), b"", LAGS)
    assert first.origin == Origin(topic_prefix="", tenant="acme", model="policy-acme")
    with pytest.raises(TrainerError, match=r"holds checkpoints of model policy-acme from samples of tenant acme in"):
        Session(settings.model_copy(update=changed), checkpoints, prefix)
