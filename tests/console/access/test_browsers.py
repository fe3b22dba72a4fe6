import re

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route

from clawstream.console.access.browsers import Guard

PAGE = "<html><script>1</script><p>&lt;script&gt;</p><script type=module>2</script></html>"
APP = Guard(
    Starlette(
        routes=[Route("/", lambda _: HTMLResponse(PAGE)), Route("/text", lambda _: PlainTextResponse("<script>"))]
    ),
    ["console.example"],
)


async def get(path: str = "/", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://127.0.0.1:8130") as client:
        return await client.get(path, headers=headers)


async def test_scripts_of_a_page_have_its_nonce_and_nothing_else_runs() -> None:
    first, second = await get(), await get()
    policy = first.headers["content-security-policy"]
    (nonce,) = re.findall(r"'nonce-([\w-]+)'", policy)
    assert first.text.count(f'<script nonce="{nonce}"') == 2
    assert int(first.headers["content-length"]) == len(first.content)
    assert nonce not in second.text
    for word in ("default-src 'none'", "script-src-attr 'none'", "frame-ancestors 'none'", "base-uri 'none'"):
        assert word in policy
    assert "'unsafe-inline'" not in re.findall(r"script-src [^;]*", policy)[0]
    assert first.headers["x-content-type-options"] == "nosniff"


async def test_what_is_no_page_is_left_as_it_is() -> None:
    assert (await get("/text")).text == "<script>"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "localhost:8130"}, 200),
        ({"host": "[::1]:8130"}, 200),
        ({"host": "Console.Example"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "127.0.0.1.evil.example"}, 403),
        ({"origin": "http://127.0.0.1:8130"}, 200),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_other_names_and_other_sites_are_refused(headers: dict[str, str], status: int) -> None:
    assert (await get(**headers)).status_code == status


async def test_a_web_socket_of_another_site_is_refused() -> None:
    sent = list[dict[str, object]]()

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1:8130"), (b"origin", b"https://evil.example")]
    await APP({"type": "websocket", "headers": headers, "path": "/"}, None, send)  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008, "reason": ""}]
