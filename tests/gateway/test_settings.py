"""An open address needs a key, a key is not shown, and every setting is documented."""

import re
from pathlib import Path

import pytest

from clawstream.gateway.command import require_key
from clawstream.gateway.settings import GatewaySettings
from clawstream.streams.settings import SettingsError, load


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_loopback_needs_no_key(host: str) -> None:
    require_key(GatewaySettings(host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org", ""])
def test_other_addresses_need_one(host: str) -> None:
    with pytest.raises(SettingsError, match="set api_key"):
        require_key(GatewaySettings(host=host))
    require_key(load(GatewaySettings, {"host": host, "api_key": "secret"}))


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(load(GatewaySettings, {"api_key": "secret"}))


def test_every_setting_is_in_the_documentation() -> None:
    told = (Path(__file__).parents[2] / "docs" / "gateway.md").read_text()
    assert [name for name in GatewaySettings.model_fields if re.search(rf"\b{name}\b", told) is None] == []
