"""Settings: one TOML file with a section per app, ``CLAWSTREAM_*`` variables, flags; the later one wins.

Invariant: an unknown key is an error that names it, wherever it was written::

    clawstream.toml          [gateway]  port = 8100
    environment              CLAWSTREAM_GATEWAY_PORT=8200
    flag                     clawstream gateway --port 8300        # wins
"""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from clawstream.streams.security import Security

SECTIONS = (
    "kafka",
    "broker",
    "gateway",
    "processors",
    "trainer",
    "rollout",
    "console",
    "agents",
    "dataset",
    "up",
    "demo",
)
PREFIX = "CLAWSTREAM_"  # of every variable of ours
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
DEFAULT_FILE = Path("clawstream.toml")


class SettingsError(Exception):
    """Settings that cannot be used; the message names the key and where it was written."""


_CRITICAL = 2


class Section(BaseModel):
    """One section of the settings. Subclasses name it in ``section`` and describe each field."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    section: ClassVar[str]


class KafkaSettings(Section, Security):
    """How to reach Kafka, and how topics are laid out."""

    section = "kafka"
    bootstrap_servers: str = Field(default="127.0.0.1:9092", description="comma-separated host:port of Kafka brokers")
    partitions: int = Field(default=4, ge=1, description="partitions of each scaled topic when it is created")
    replication_factor: int = Field(default=1, ge=1, description="replicas of each partition when a topic is created")
    topic_prefix: str = Field(
        default="", description="put before every topic and group, so that pipelines can share a cluster"
    )
    blob_url: str = Field(
        default="runs/blobs",
        description="folder, or URL of an object store, beside the log: keeps large content parts; empty: steps do",
    )
    max_record_bytes: int = Field(
        default=8 * 1024 * 1024, ge=1024, description="largest record that is produced, in bytes"
    )

    def client(self, **options: str | int | bool) -> dict[str, str | int | float | bool]:
        """Configuration of a client of librdkafka, which by itself prints each lost connection to stderr."""
        return {"bootstrap.servers": self.bootstrap_servers, "log_level": _CRITICAL, **self.secured(), **options}

    def environment(self) -> dict[str, str]:
        """Variables that give another process what was set here."""
        found = {name: getattr(self, name) for name in sorted(self.model_fields_set)}
        plain = {name: each.get_secret_value() if isinstance(each, SecretStr) else each for name, each in found.items()}
        return {f"{PREFIX}KAFKA_{name.upper()}": str(each) for name, each in plain.items() if each is not None}

    @property
    def min_insync_replicas(self) -> int:
        """Replicas that a record is on once it is acknowledged: one node of three may die, and nothing is lost.

        Kafka's own default is one, whatever the replication factor.
        """
        return max(1, self.replication_factor - 1)

    def name(self, topic: str) -> str:
        """The name that a topic or a consumer group has on this cluster."""
        return f"{self.topic_prefix}{topic}"


S = TypeVar("S", bound=Section)


def load(model: type[S], flags: Mapping[str, Any] | None = None, environ: Mapping[str, str] = os.environ) -> S:
    """The settings of ``model``'s section. Raises ``SettingsError`` for an unknown key or a value that does not fit."""
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    file = config_file(environ)
    for name, found in (
        (str(file), {} if file is None else _from_file(file, model.section)),
        ("the environment", _from_environment(model, environ)),
        ("flags", {key: value for key, value in (flags or {}).items() if value is not None}),
    ):
        values.update(found)
        origin.update(dict.fromkeys(found, name))
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise SettingsError(_sentence(model, error, origin)) from error


def config_file(environ: Mapping[str, str] = os.environ) -> Path | None:
    """The settings file: ``CLAWSTREAM_CONFIG``, else ``clawstream.toml`` in the current folder where there is one."""
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def _from_file(path: Path, section: str) -> dict[str, Any]:
    try:
        content = tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    for name, value in content.items():
        if name not in SECTIONS:
            raise SettingsError(f"{path}: unknown section [{name}]; there are {', '.join(SECTIONS)}")
        if not isinstance(value, dict):
            raise SettingsError(f"{path}: {name} must be a section, [{name}]")
    return dict(content.get(section, {}))


def _from_environment(model: type[Section], environ: Mapping[str, str]) -> dict[str, str]:
    for name in environ:
        if name.startswith(PREFIX) and name != CONFIG_VARIABLE and name.split("_")[1].lower() not in SECTIONS:
            raise SettingsError(f"{name} names no section; there are {', '.join(SECTIONS)}")
    prefix = f"{PREFIX}{model.section.upper()}_"
    return {name[len(prefix) :].lower(): value for name, value in environ.items() if name.startswith(prefix)}


def _sentence(model: type[Section], error: ValidationError, origin: Mapping[str, str]) -> str:
    problems = []
    for problem in error.errors(include_url=False, include_input=False):
        key = ".".join(str(part) for part in problem["loc"])
        if not key:  # of several settings together, and it says which
            problems.append(problem["msg"].removeprefix("Value error, "))
            continue
        where = origin.get(key.split(".")[0], "the defaults")
        if problem["type"] == "extra_forbidden":
            problems.append(f"unknown key {key} (from {where}); there are {', '.join(model.model_fields)}")
        else:
            problems.append(f"{key} (from {where}): {problem['msg']}")
    return f"[{model.section}] " + "; ".join(problems)
