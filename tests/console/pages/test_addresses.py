import pytest

from clawstream.console.pages import addresses


def test_any_name_fits_into_a_url() -> None:
    assert addresses.trajectory("a/b?c#d &", "s", "tokens") == "/trajectory?id=a%2Fb%3Fc%23d+%26&step=s&tab=tokens"


@pytest.mark.parametrize("outside", ["//evil", "/\\evil", "https://evil", "", "evil", "/a\nb"])
def test_nobody_is_sent_elsewhere(outside: str) -> None:
    assert addresses.inside(outside) == "/"


def test_pages_are_inside() -> None:
    assert addresses.inside("/trajectory?id=a%2Fb") == "/trajectory?id=a%2Fb"
