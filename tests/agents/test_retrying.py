"""When a call is tried again, and when it is given up."""

from hypothesis import given
from hypothesis import strategies as st

from clawstream.agents.errors import RefusedError, UnavailableError
from clawstream.agents.retrying import Kind, Patience, Tried, Trouble, kind_of, next_wait, retry_after

PATIENCE = Patience(outage_seconds=10.0, tries=3)


def waits(kind: Kind, *at_seconds: float, **fields: float) -> list[float | None]:
    """What is waited after each trouble of a call that has one at each of these times."""
    tried, found = Tried(), []
    for now in at_seconds:
        tried, wait = next_wait(tried, Trouble(kind=kind, message="", **fields), now, PATIENCE)  # type: ignore[arg-type]
        found.append(wait)
    return found


def test_what_answers_mean() -> None:
    assert kind_of(429, "paced") == "paced"
    assert (kind_of(429, "busy"), kind_of(429, None), kind_of(503, "no_node")) == ("away", "away", "away")
    assert {kind_of(status, None) for status in (408, 500, 502, 504)} == {"failed"}
    assert {kind_of(status, None) for status in (400, 401, 404, 413, 422)} == {"refused"}


def test_a_gateway_that_paces_is_waited_for_without_end() -> None:
    assert waits("paced", 0, 1e3, 1e6, 1e9, retry_after_seconds=1.0) == [1.0] * 4


def test_an_outage_is_bridged_for_its_time_and_no_longer() -> None:
    assert waits("away", 100, 100.1, 100.3, 109.9, 110) == [0.1, 0.2, 0.4, 0.8, None]
    assert waits("away", 0, retry_after_seconds=7.0) == [7.0]
    assert waits("away", 0, 0, retry_after_seconds=0.0) == [0.1, 0.1]


def test_an_answer_in_between_begins_the_outage_anew() -> None:
    away, paced = Trouble(kind="away", message=""), Trouble(kind="paced", message="", retry_after_seconds=1.0)
    tried, _ = next_wait(Tried(), away, 0.0, PATIENCE)
    tried, _ = next_wait(tried, paced, 9.0, PATIENCE)
    tried, wait = next_wait(tried, away, 18.0, PATIENCE)
    assert (tried.away_since_seconds, wait) == (18.0, 0.1)


def test_what_fails_is_tried_three_times_and_what_is_refused_once() -> None:
    assert waits("failed", 0, 0, 0) == [0.1, 0.2, None]
    assert waits("refused", 0) == [None]


@given(st.lists(st.sampled_from(["paced", "away", "failed"]), max_size=40), st.integers(0, 100))
def test_waits_are_bounded_and_failures_end(kinds: list[Kind], step_seconds: int) -> None:
    tried = Tried()
    for number, kind in enumerate(kinds):
        tried, wait = next_wait(tried, Trouble(kind=kind, message=""), number * step_seconds, PATIENCE)
        if wait is None:
            assert kind != "paced"
            return
        assert 0 < wait <= 5.0
    assert kinds.count("failed") < PATIENCE.tries
    assert tried.count == len(kinds)


def test_retry_after_is_a_number_of_seconds_and_bounded() -> None:
    read = [
        retry_after(header)
        for header in ("1", "0", "999999", None, "", "-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "²")
    ]
    assert read == [1.0, 0.0, 60.0, None, None, None, None, None, None]


def test_the_error_says_whether_to_try_again() -> None:
    refused = Trouble(kind="refused", message="no", status=401, code="invalid_api_key").as_error()
    assert isinstance(refused, RefusedError)
    assert (refused.status, refused.code, str(refused)) == (401, "invalid_api_key", "no")
    assert isinstance(Trouble(kind="failed", message="no", status=502).as_error(), UnavailableError)
    assert isinstance(Trouble(kind="away", message="no").as_error(), UnavailableError)
