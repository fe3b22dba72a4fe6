"""What pages promise of routes, listeners and secrets is so."""

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import web
from pydantic import SecretStr

from clawstream.cli.reference.sections import MODELS
from clawstream.gateway.app import make_app
from clawstream.gateway.settings import GatewaySettings
from tests.docs.blocks import DOCS, Page, pages

ROUTE = re.compile(r"(GET|POST) (/[^\s?]*|\{base\}[^\s?]*)(\?\S*)?")
SECURITY = (DOCS / "security.md").read_text()


def resources() -> list[tuple[str, web.AbstractResource]]:
    """Every method and path of the gateway."""
    app = make_app(cast(Any, SimpleNamespace(settings=GatewaySettings())))
    return [(route.method, cast(web.AbstractResource, route.resource)) for route in app.router.routes()]


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.path)
def test_routes_that_are_named_are_there(page: Page) -> None:
    known = {(method, re.sub(r"\{\w+\}", "{}", resource.canonical)) for method, resource in resources()}
    for span in page.spans:
        if named := ROUTE.fullmatch(span):
            method, path = named[1], re.sub(r"\{(?!base)\w+\}", "{}", named[2])
            for base in ("/v1", "/{}/{}/v1", "/{}/{}") if "{base}" in path else ("",):
                assert (method, path.replace("{base}", base)) in known, f"{page.path} names {span}"


def test_everything_listens_on_loopback_unless_it_is_told_otherwise() -> None:
    hosts = {name: model.model_fields["host"].default for name, model in MODELS.items() if "host" in model.model_fields}
    assert hosts == dict.fromkeys(("gateway", "console", "rollout"), "127.0.0.1")


@pytest.mark.parametrize("section", ["gateway", "console", "broker"])
def test_ports_are_those_of_the_settings(section: str) -> None:
    line = next(line for line in SECURITY.splitlines() if re.match(rf"\| .*{section}", line))
    assert str(MODELS[section].model_fields["port"].default) in line


def test_secrets_are_masked_and_all_of_them_are_listed() -> None:
    secrets = {
        f"{section}.{name}"
        for section, model in MODELS.items()
        for name, field in model.model_fields.items()
        if SecretStr in getattr(field.annotation, "__args__", (field.annotation,))
    }
    assert {name for name in secrets if f"`{name}`" not in SECURITY} == set()
    named = {
        f"{section}.{name}"
        for section, model in MODELS.items()
        for name in model.model_fields
        if re.search(r"(^|_)(key|password|secret)$", name)
    }
    assert named == secrets
