import pytest

from clawstream.console.access.sessions import Sessions
from clawstream.console.gateway import Gateway, GatewayError, KeyRefusedError


class Keys(Gateway):
    """A gateway that answers from memory."""

    def __init__(self, **keys: str) -> None:
        self.keys, self.down, self.asked = keys, False, 0

    async def tenant(self, key: str) -> str:
        self.asked += 1
        if self.down:
            raise GatewayError("it does not answer")
        if key not in self.keys:
            raise KeyRefusedError("the gateway does not know this key")
        return self.keys[key]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_key_opens_a_session_of_its_tenant() -> None:
    sessions = Sessions(Keys(k1="acme"), Clock())
    with pytest.raises(KeyRefusedError):
        await sessions.begin("k2")
    cookie = await sessions.begin("k1")
    session = await sessions.of(cookie)
    assert session is not None
    assert session.tenant == "acme"
    assert "k1" not in cookie
    assert await sessions.of("guessed") is None
    assert await sessions.of(None) is None
    sessions.end(cookie)
    assert await sessions.of(cookie) is None


async def test_a_key_that_the_gateway_forgets_shows_nothing_more() -> None:
    keys, clock = Keys(k1="acme"), Clock()
    sessions = Sessions(keys, clock)
    cookie = await sessions.begin("k1")
    clock.now = 30.0
    assert await sessions.of(cookie) is not None
    assert keys.asked == 1
    keys.keys.clear()
    clock.now = 61.0
    assert await sessions.of(cookie) is None


async def test_while_the_gateway_is_down_its_last_word_counts() -> None:
    keys, clock = Keys(k1="acme"), Clock()
    sessions = Sessions(keys, clock)
    cookie = await sessions.begin("k1")
    keys.down, clock.now = True, 61.0
    assert await sessions.of(cookie) is not None
    clock.now = 13 * 3600.0
    assert await sessions.of(cookie) is None


async def test_beyond_loopback_a_gateway_without_keys_lets_nobody_in() -> None:
    class Open(Keys):
        async def tenant(self, key: str) -> str:
            return "default"

    with pytest.raises(GatewayError, match="asks for no keys"):
        await Sessions(Open(), Clock(), needs_keys=True).begin("whatever")
    assert await Sessions(Keys(k1="acme"), Clock(), needs_keys=True).begin("k1")
