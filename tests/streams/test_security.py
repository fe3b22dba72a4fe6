"""What is said of settings that cannot be used, and what clients are told of those that can."""

from pathlib import Path
from typing import Any

import pytest

from clawstream.streams.settings import KafkaSettings, SettingsError, load

SASL = {"security_protocol": "SASL_SSL", "sasl_username": "gateway"}


def read(**values: Any) -> KafkaSettings:
    return load(KafkaSettings, values, environ={})


def test_clients_are_told_in_their_own_words(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("")
    settings = read(**SASL, sasl_password="sesame", ssl_ca_location=str(tmp_path / "ca.pem"), sasl_mechanism="plain")
    assert settings.client() | {"log_level": 0} == {
        "bootstrap.servers": "127.0.0.1:9092",
        "log_level": 0,
        "security.protocol": "SASL_SSL",
        "ssl.ca.location": str(tmp_path / "ca.pem"),
        "sasl.mechanism": "PLAIN",
        "sasl.username": "gateway",
        "sasl.password": "sesame",
    }
    assert "sesame" not in repr(settings)
    assert set(read().client()) == {"bootstrap.servers", "log_level"}


def test_a_password_in_a_file_is_read_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("old\n")
    settings = read(**SASL, sasl_password_file=str(file))
    assert settings.password == "old"
    file.write_text(" new, with blanks \r\n")
    assert settings.client()["sasl.password"] == " new, with blanks "


def test_another_process_gets_the_same_settings() -> None:
    settings = read(**SASL, sasl_password="sesame", partitions="3")
    assert load(KafkaSettings, environ=settings.environment()) == settings
    assert KafkaSettings().environment() == {}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"sasl_username": "x"}, r"^\[kafka\] sasl_username is set, and security_protocol is PLAINTEXT$"),
        ({"security_protocol": "SASL_PLAINTEXT", "ssl_ca_location": "/x"}, "ssl_ca_location is set, and security_prot"),
        (SASL, "SASL_SSL needs sasl_username, and sasl_password or sasl_password_file"),
        ({**SASL, "sasl_password": "secret", "sasl_password_file": "/secret"}, "needs sasl_username, and sasl_passw"),
        ({"security_protocol": "SSL", "ssl_key_location": "/x"}, "and ssl_key_location go together"),
        ({"security_protocol": "SSL", "ssl_ca_location": "/none.pem"}, "names /none.pem, which is no file that can be"),
        ({"security_protocol": "TLS"}, r"security_protocol \(from flags\)"),
    ],
)
def test_what_means_nothing_is_refused(values: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence) as caught:
        read(**values)
    assert "secret" not in str(caught.value).replace("/secret", "")
