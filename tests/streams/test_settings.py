from pathlib import Path

import pytest
from pydantic import Field

from clawstream.streams.settings import KafkaSettings, Section, SettingsError, load


class Example(Section):
    section = "gateway"
    port: int = Field(8100, description="a port")
    host: str = Field("127.0.0.1", description="a host")


def test_the_later_source_wins(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[gateway]\nport = 1\nhost = "h"\n')
    environ = {"CLAWSTREAM_CONFIG": str(file)}
    assert load(Example, environ=environ) == Example(port=1, host="h")
    environ["CLAWSTREAM_GATEWAY_PORT"] = "2"
    assert load(Example, environ=environ).port == 2
    assert load(Example, {"port": "3", "host": None}, environ).port == 3


@pytest.mark.parametrize(
    ("toml", "environ", "flags", "sentence"),
    [
        ("[gateway]\nprot = 1", {}, {}, r"unknown key prot \(from .*c.toml\); there are port, host"),
        ("[gatway]\n", {}, {}, r"unknown section \[gatway\]"),
        ("gateway = 1", {}, {}, "gateway must be a section"),
        ("[gateway", {}, {}, "is not valid TOML"),
        ("", {"CLAWSTREAM_GATWAY_PORT": "1"}, {}, "CLAWSTREAM_GATWAY_PORT names no section; there are kafka"),
        ("", {"CLAWSTREAM_CONFIG": "/no/such.toml"}, {}, r"/no/such.toml cannot be read: No such file"),
        ("", {"CLAWSTREAM_GATEWAY_PROT": "1"}, {}, r"unknown key prot \(from the environment\)"),
        ("", {}, {"port": "many"}, r"port \(from flags\): Input should be a valid integer"),
    ],
)
def test_what_cannot_be_used_is_named(
    tmp_path: Path, toml: str, environ: dict[str, str], flags: dict[str, str], sentence: str
) -> None:
    file = tmp_path / "c.toml"
    file.write_text(toml)
    with pytest.raises(SettingsError, match=sentence):
        load(Example, flags, {"CLAWSTREAM_CONFIG": str(file), **environ})


def test_a_prefix_stands_before_topics() -> None:
    assert KafkaSettings(topic_prefix="lab-").name("steps") == "lab-steps"
