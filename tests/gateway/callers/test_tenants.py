"""Whose key it is, and a keys file that changes."""

import os
from pathlib import Path
from typing import Any

import pytest

from clawstream.gateway.callers.keys import digest_of
from clawstream.gateway.callers.tenants import Tenants
from clawstream.gateway.errors import ApiError
from clawstream.gateway.settings import GatewaySettings
from clawstream.streams.settings import SettingsError


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def written(file: Path, *tenants: str) -> Path:
    """``file``, in which each tenant's key is its name."""
    file.write_text("\n".join(f'[{tenant}]\nkeys = ["{digest_of(tenant)}"]' for tenant in tenants))
    stat = file.stat()
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1_000_000))  # also where the clock is coarse
    return file


def tenants(now: list[float] | None = None, **settings: Any) -> Tenants:
    seconds = now or [0.0]
    return Tenants(GatewaySettings(**settings), clock=lambda: seconds[0])


def test_without_keys_everybody_is_the_default_tenant() -> None:
    found = tenants()
    assert (found.of({}), found.of(bearer("x")), found.are_several) == ("default", "default", False)


def test_a_key_names_its_tenant(tmp_path: Path) -> None:
    found = tenants(keys_file=written(tmp_path / "keys.toml", "a", "b"), api_key="own")
    assert [found.of(bearer(key)) for key in ("a", "b", "own")] == ["a", "b", "default"]
    assert found.of({"x-api-key": "b"}) == "b"
    assert found.are_several


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, "missing bearer token"),
        ({"Authorization": "a"}, "missing bearer token"),
        ({"Authorization": "Bearer "}, "missing bearer token"),
        ({"Authorization": "bearer a"}, "missing bearer token"),
        ({"Authorization": "Bearer c"}, "invalid api key"),
        ({"Authorization": "Bearer \udcff"}, "invalid api key"),
        ({"x-api-key": digest_of("a")}, "invalid api key"),
    ],
)
def test_who_has_no_key_is_refused(tmp_path: Path, headers: dict[str, str], said: str) -> None:
    with pytest.raises(ApiError, match=said) as refused:
        tenants(keys_file=written(tmp_path / "keys.toml", "a")).of(headers)
    assert refused.value.status == 401


def test_a_changed_file_counts_within_a_second(tmp_path: Path) -> None:
    file, now = written(tmp_path / "keys.toml", "a"), [0.0]
    found = tenants(now, keys_file=file)
    written(file, "a", "b")
    with pytest.raises(ApiError):
        found.of(bearer("b"))
    now[0] = 1.0
    assert found.of(bearer("b")) == "b"
    written(file, "b")
    now[0] = 2.0
    with pytest.raises(ApiError):
        found.of(bearer("a"))


@pytest.mark.parametrize("becomes", ["[broken", None])
def test_a_file_that_breaks_leaves_the_last_in_force(
    tmp_path: Path, becomes: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    file, now = written(tmp_path / "keys.toml", "a"), [0.0]
    found = tenants(now, keys_file=file)
    file.unlink() if becomes is None else file.write_text(becomes)
    for seconds in (1.0, 2.0):
        now[0] = seconds
        assert found.of(bearer("a")) == "a"
    assert caplog.text.count("stays in force") == 1
    written(file, "b")
    now[0] = 3.0
    assert found.of(bearer("b")) == "b"


def test_a_start_with_a_bad_file_says_why(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text("[a]\ncolour = 1")
    with pytest.raises(SettingsError, match="colour"):
        tenants(keys_file=tmp_path / "keys.toml")
    with pytest.raises(SettingsError, match="No such file"):
        tenants(keys_file=tmp_path / "none.toml")
