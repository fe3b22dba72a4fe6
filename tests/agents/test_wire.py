"""Requests and answers, without a connection."""

import ssl

import httpx
import pytest

from clawstream.agents.calls import models, open_trajectory
from clawstream.agents.errors import AgentError, UnavailableError
from clawstream.agents.place import Place
from clawstream.agents.retrying import Patience, Tried, Trouble
from clawstream.agents.wire import Tries, client_options, gateway_url, headers_of, lost, refusal, result_of

REQUEST = httpx.Request("POST", "http://h/v1/models")


def answered(status: int, content: bytes, **headers: str) -> httpx.Response:
    return httpx.Response(status, content=content, headers=headers, request=REQUEST)


@pytest.mark.parametrize("given", ["http://h:1", "http://h:1/", "http://h:1/v1", "http://h:1/v1/"])
def test_a_gateway_is_named_with_or_without_v1(given: str) -> None:
    assert gateway_url(given) == "http://h:1"


@pytest.mark.parametrize("given", ["", "h:1", "localhost", "ftp://h", "http://"])
def test_what_is_no_url_is_said(given: str) -> None:
    with pytest.raises(AgentError, match="is no URL of a gateway; one looks like http"):
        gateway_url(given)


def test_every_try_has_the_same_key_and_its_number() -> None:
    call = open_trajectory(Place(channel="val"))
    first, third = headers_of(call, Tried()), headers_of(call, Tried(count=2))
    assert first["Idempotency-Key"] == third["Idempotency-Key"] == call.key
    assert (first["X-Stainless-Retry-Count"], third["X-Stainless-Retry-Count"]) == ("0", "2")


def test_the_key_is_a_bearer_token_and_certificates_are_checked() -> None:
    assert client_options("http://h", "k", 1)["headers"]["Authorization"] == "Bearer k"
    assert "Authorization" not in client_options("http://h", None, 1)["headers"]
    assert client_options("https://h", None, 1)["verify"].verify_mode == ssl.CERT_REQUIRED


def test_a_result_is_read() -> None:
    assert result_of(models(), answered(200, b'{"data": [{"id": "m"}]}')) == ["m"]


@pytest.mark.parametrize("content", [b"<html>", b"[]", b"{}", b'{"data": [3]}', b'{"data": null}', b"\xff"])
def test_an_answer_that_is_no_gateways_is_refused(content: bytes) -> None:
    trouble = result_of(models(), answered(200, content))
    assert isinstance(trouble, Trouble)
    assert trouble.kind == "refused"
    assert trouble.message.startswith("http://h answered models as no gateway does: ")


def test_an_error_is_said_in_the_gateways_words() -> None:
    body = b'{"error": {"message": "too fast", "code": "paced"}}'
    paced = refusal(models(), answered(429, body, **{"Retry-After": "2"}))
    assert (paced.kind, paced.code, paced.retry_after_seconds) == ("paced", "paced", 2.0)
    assert paced.message == "http://h answered models with 429: too fast"


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"<html>", "<html>"), (b"", "Bad Gateway"), (b'{"error": "no"}', '{"error": "no"}'), (b"[1]", "[1]")],
)
def test_an_error_in_any_shape_is_said(content: bytes, said: str) -> None:
    trouble = refusal(models(), answered(502, content))
    assert (trouble.kind, trouble.code) == ("failed", None)
    assert trouble.message.endswith(f"answered models with 502: {said}")


def test_a_lost_connection_is_an_outage_and_a_time_out_a_failure() -> None:
    away = [httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError]
    assert {lost(models(), kind("gone", request=REQUEST)).kind for kind in away} == {"away"}
    late = lost(models(), httpx.ReadTimeout("", request=REQUEST))
    assert (late.kind, late.message) == ("failed", "http://h gave no answer to models (ReadTimeout)")


def test_waits_are_spread_and_end() -> None:
    tries = Tries(Patience(tries=2))
    assert 0.1 <= tries.wait_after(Trouble(kind="failed", message="no")) <= 0.12
    with pytest.raises(UnavailableError, match="no"):
        tries.wait_after(Trouble(kind="failed", message="no"))
