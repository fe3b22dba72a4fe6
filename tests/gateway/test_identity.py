"""Who is calling; nobody shares a trajectory without having named it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from clawstream.gateway.errors import ApiError
from clawstream.gateway.identity import Caller, identify, named_trajectory

PATH = {"trajectory": "t", "group": "g"}


def caller(path: dict[str, str] | None = None, **headers: str) -> Caller:
    return identify(path or {}, CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()}))


def test_the_path_names_trajectory_and_group() -> None:
    found = caller(PATH, X_Session_Id="other")
    assert (found.trajectory_id, found.group_id) == ("t", "g")


def test_headers_name_them_where_the_path_does_not() -> None:
    assert caller(X_Session_Id="s").trajectory_id == "s"
    assert caller(X_Session_Id="s").group_id == "s"
    ours = caller(X_ClawStream_Trajectory="t", X_ClawStream_Group="g", X_Session_Id="s")
    assert (ours.trajectory_id, ours.group_id) == ("t", "g")


def test_a_caller_without_a_name_is_alone() -> None:
    first, second = caller(), caller()
    assert first.trajectory_id != second.trajectory_id
    assert first.group_id != second.group_id
    assert named_trajectory({}, {}) is None


def test_turns_are_main_unless_said_otherwise() -> None:
    assert caller().turn_type == "main"
    assert caller(X_Turn_Type=" Main ").turn_type == "main"
    assert caller(X_Turn_Type="heartbeat").turn_type == "side"
    assert identify({}, {}, turn_type="side").turn_type == "side"


def test_openclaw_body_keys_count_where_headers_are_absent() -> None:
    found = identify({}, {}, session_id="s", session_done="True")
    assert (found.trajectory_id, found.session_done) == ("s", True)
    assert not identify({}, {"X-Session-Done": "0"}, session_done="1").session_done


@pytest.mark.parametrize(("header", "attempt"), [("0", 1), ("2", 3), ("x", 1), ("", 1), ("²", 1), ("-1", 1)])
def test_the_attempt_follows_the_clients_retry_count(header: str, attempt: int) -> None:
    assert caller(x_stainless_retry_count=header).attempt == attempt


def test_the_request_key_is_the_clients_or_new() -> None:
    assert caller(Idempotency_Key="k").request_key == "k"
    assert caller().request_key != caller().request_key


@pytest.mark.parametrize("bad", ["", "x" * 201, "a\nb", "\udcff", "a\x00"])
def test_names_that_are_no_names_are_refused(bad: str) -> None:
    with pytest.raises(ApiError) as refused:
        caller({"trajectory": bad, "group": "g"})
    assert (refused.value.status, refused.value.param) == (400, "trajectory")
    assert refused.value.body.decode()


@given(st.text(), st.text(), st.text())
def test_any_header_is_a_caller_or_a_400(session: str, key: str, agent: str) -> None:
    headers = {"X-Session-Id": session, "Idempotency-Key": key, "X-ClawStream-Agent": agent}
    refused = None
    try:
        found = identify({}, headers)
    except ApiError as error:
        refused = error
    if refused is not None:
        assert refused.status == 400
        return
    for text in (found.trajectory_id, found.group_id, found.request_key, found.agent):
        text.encode()
