"""A trajectory ends once; steps keep their numbers over an error."""

import asyncio
import contextlib

import pytest

from clawstream.agents.errors import EndedError, UnavailableError
from clawstream.agents.place import Place
from clawstream.agents.standing import Standing, reason_of


def test_what_has_ended_takes_no_more() -> None:
    standing = Standing(place=Place(trajectory_id="t"))
    assert standing.require_open() is standing.place
    standing.completed(1.0)
    with pytest.raises(EndedError, match="trajectory t was completed; open another one"):
        standing.require_open()


def test_steps_are_numbered_on_and_again_after_an_error() -> None:
    standing = Standing(place=Place())
    with standing.numbering(2) as first, standing.numbering(3) as second:
        assert (first, second) == (0, 2)
    with contextlib.suppress(UnavailableError), standing.numbering(4) as third:
        raise UnavailableError("gone")
    with standing.numbering(4) as again:
        assert (third, again) == (5, 5)


def test_reasons_are_one_line() -> None:
    assert reason_of(ValueError("a\n  b")) == "ValueError: a b"
    assert reason_of(ValueError()) == "ValueError"
    assert reason_of(UnavailableError("the gateway is gone")) == "the gateway is gone"
    assert reason_of(asyncio.CancelledError()) == "interrupted"
