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


def test_stale_data_without_correction_is_refused_unless_it_is_said() -> None:
    with pytest.raises(SettingsError, match="stale samples would train as if they were fresh"):
        load(TrainerSettings, {"model": "m", "correction": "none"}, {})
    for said in ({"max_policy_lag": "0"}, {"uncorrected": "true"}):
        assert load(TrainerSettings, {"model": "m", "correction": "none", **said}, {}).correction == "none"


def test_a_recorded_teacher_has_no_top_tokens() -> None:
    with pytest.raises(SettingsError, match="of sampled tokens alone"):
        load(TrainerSettings, {"model": "m", "algorithm": "distill", "hint_teacher": "recorded", "hint_top_k": "4"}, {})


def test_a_kl_in_the_reward_needs_token_rewards() -> None:
    with pytest.raises(SettingsError, match="needs token rewards, which gspo has not"):
        load(TrainerSettings, {"model": "m", "algorithm": "gspo", "kl_in_reward": "true"}, {})


def test_flags_come_as_text() -> None:
    settings = load(TrainerSettings, {"model": "m", "zero_stage": "2", "algorithm": "ppo"}, {})
    assert (settings.model, settings.zero_stage, settings.algorithm) == (Path("m"), 2, "ppo")


def test_a_tenants_trainer_has_a_model_and_a_consumer_group_of_its_own() -> None:
    settings = load(TrainerSettings, {"model": "m", "tenant": "acme"}, {})
    assert (settings.model_name, settings.group, settings.limits.tenant) == ("policy-acme", "trainer-acme", "acme")
    assert load(TrainerSettings, {"model": "m", "tenant": "acme", "group": "g"}, {}).group == "g"


def test_adapters_need_a_rank() -> None:
    with pytest.raises(SettingsError, match="adapter_of is policy and lora_rank 0"):
        load(TrainerSettings, {"model": "m", "adapter_of": "policy"}, {})


def test_an_adapter_is_not_named_as_the_model_that_it_is_beside() -> None:
    with pytest.raises(SettingsError, match="adapter_of and model_name are both policy"):
        load(TrainerSettings, {"model": "m", "adapter_of": "policy", "lora_rank": "8"}, {})


def test_adapters_are_not_sent() -> None:
    with pytest.raises(SettingsError, match="transfer is gloo and adapter_of policy: adapters load from disk"):
        load(
            TrainerSettings,
            {"model": "m", "tenant": "a", "adapter_of": "policy", "lora_rank": "8", "transfer": "gloo"},
            {},
        )


@pytest.mark.parametrize(("key", "value"), [("zero_stage", "4"), ("algorithm", "sgd"), ("dual_clip", "1"), ("x", "1")])
def test_what_does_not_fit_is_named(key: str, value: str) -> None:
    with pytest.raises(SettingsError, match=key):
        load(TrainerSettings, {"model": "m", key: value}, {})
