"""Settings are checked before torch is imported."""

import subprocess
import sys
from pathlib import Path

import pytest

from clawstream.streams.settings import SettingsError, load
from clawstream.trainer.settings import TrainerSettings


def test_importing_settings_is_light() -> None:
    code = "import sys, clawstream.trainer.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_field_is_described() -> None:
    assert all(field.description for field in TrainerSettings.model_fields.values())


def test_flags_come_as_text() -> None:
    settings = load(TrainerSettings, {"model": "m", "zero_stage": "2", "algorithm": "ppo"}, {})
    assert (settings.model, settings.zero_stage, settings.algorithm) == (Path("m"), 2, "ppo")


@pytest.mark.parametrize(("key", "value"), [("zero_stage", "3"), ("algorithm", "sgd"), ("dual_clip", "1"), ("x", "1")])
def test_what_does_not_fit_is_named(key: str, value: str) -> None:
    with pytest.raises(SettingsError, match=key):
        load(TrainerSettings, {"model": "m", key: value}, {})
