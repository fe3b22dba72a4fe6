"""docker-compose.yml: of the right form, and with commands that the command line takes."""

from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from compose_spec import ComposeSpecification

from clawstream.cli.main import cli

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("clawstream")}


def test_it_has_the_form_of_the_compose_specification() -> None:
    assert set(ComposeSpecification.model_validate(COMPOSE).services or {}) == set(SERVICES)


@pytest.mark.parametrize("name", OURS)
def test_each_command_is_one_of_ours_with_flags_that_it_has(name: str) -> None:
    command, *arguments = OURS[name]["command"]
    with click.Context(cli, obj={"bootstrap_servers": None}) as context:
        context.meta["log_level"] = "INFO"
        made = cli.commands[command].make_context(command, list(arguments), parent=context)
    assert not made.args


def test_nothing_is_published_beyond_this_host() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in published)
    inside = {name for name, service in SERVICES.items() if service.get("network_mode") == "service:broker"}
    assert inside == SERVICES.keys() - {"broker"}, "vLLM's control routes and Kafka are for loopback alone"


def test_prometheus_asks_the_ports_that_the_processes_serve() -> None:
    asked = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    targets = {job["static_configs"][0]["targets"][0].removeprefix("127.0.0.1:") for job in asked}
    served = {
        command[command.index("--metrics-port") + 1]
        for command in (service["command"] for service in OURS.values())
        if "--metrics-port" in command
    }
    assert targets == served | {"8100"}


def test_files_that_are_mounted_exist() -> None:
    sources = [
        volume.split(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    ]
    made_by_users = {"./models", "./deploy/keys.toml"}
    assert all((ROOT / source).exists() for source in set(sources) - made_by_users)


def test_every_service_of_ours_has_a_bound_or_a_gpu() -> None:
    lasting = {name: service for name, service in OURS.items() if name != "topics"}
    assert all(service["deploy"]["resources"] for service in lasting.values())
    assert {profile for service in OURS.values() for profile in service.get("profiles", ())} == {"cpu", "gpu"}
