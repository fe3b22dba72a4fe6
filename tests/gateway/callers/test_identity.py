"""Who is calling; nobody shares a trajectory without having named it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from clawstream.gateway.callers.identity import Caller, Claims, identify, named_trajectory, scope_of, trajectory_of
from clawstream.gateway.errors import ApiError

PATH = {"trajectory": "t", "group": "g"}
PLACES: list[tuple[dict[str, str], dict[str, str]]] = [  # each names less than the one before it
    (PATH, {"X-ClawStream-Trajectory": "h", "X-ClawStream-Group": "hg", "X-Session-Id": "hs"}),
    ({}, {"X-ClawStream-Trajectory": "h", "X-ClawStream-Group": "hg", "X-Session-Id": "hs"}),
    ({}, {"X-Session-Id": "hs"}),
    ({}, {}),
]
NAMES = st.none() | st.sampled_from(["a", "b", "unknown", "1"])


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
    assert identify({}, {}, Claims(turn_type="side")).turn_type == "side"


def test_openclaw_body_keys_count_where_headers_are_absent() -> None:
    found = identify({}, {}, Claims(session_id="s", session_done="True"))
    assert (found.trajectory_id, found.session_done) == ("s", True)


@pytest.mark.parametrize("word", ["1", "true", " YES ", "On"])
def test_a_session_is_done_when_header_or_body_says_so(word: str) -> None:
    assert identify({}, {"X-Session-Done": word}, Claims(session_done="0")).session_done
    assert identify({}, {"X-Session-Done": "0"}, Claims(session_done=word)).session_done
    assert not identify({}, {"X-Session-Done": "done"}, Claims(session_done="")).session_done


def test_the_first_place_that_names_a_thing_counts() -> None:
    claims = Claims(trajectory_id="b", group_id="bg", channel="bc", session_id="bs", turn_type="main")
    assert [identify(path, headers, claims).trajectory_id for path, headers in PLACES] == ["t", "h", "hs", "b"]
    assert [identify(path, headers, claims).group_id for path, headers in PLACES] == ["g", "hg", "bg", "bg"]
    assert identify({}, {}, Claims(session_id="bs")).trajectory_id == "bs"
    assert identify({}, {"X-ClawStream-Channel": "hc"}, claims).channel == "hc"
    assert (identify({}, {}, claims).channel, identify({}, {"X-Turn-Type": "side"}, claims).turn_type) == ("bc", "side")


def test_a_session_is_named_in_the_answer_to_whom_speaks_of_one() -> None:
    assert caller(X_Session_Id="s").session_id == identify({}, {}, Claims(session_id="s")).session_id == "s"
    assert caller(PATH, X_Session_Id="s").session_id == "t"
    assert caller(X_Turn_Type="main").session_id is caller(PATH).session_id is None


def test_the_tenant_is_the_key_s_and_not_the_callers_to_choose() -> None:
    assert caller().tenant == "default"
    assert identify({}, {"X-ClawStream-Tenant": "other"}, tenant="acme").tenant == "acme"


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


@st.composite
def calls(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, str], Claims]:
    """What one call says of itself, in any of the places, or not at all."""
    path = draw(st.none() | st.fixed_dictionaries({"trajectory": st.just("p"), "group": st.sampled_from(["a", "1"])}))
    places = ["X-ClawStream-Trajectory", "X-Session-Id", "X-ClawStream-Group"]
    headers = {name: value for name in places if (value := draw(NAMES)) is not None}
    return path or {}, headers, Claims(trajectory_id=draw(NAMES), group_id=draw(NAMES), session_id=draw(NAMES))


def names_in(path: dict[str, str], headers: dict[str, str], claims: Claims) -> set[str]:
    said = {*path.values(), *headers.values(), claims.trajectory_id, claims.group_id, claims.session_id}
    return {name for name in said if name}


@given(st.lists(calls(), min_size=2, max_size=8))
def test_nobody_shares_a_trajectory_or_a_group_without_having_named_it(
    said: list[tuple[dict[str, str], dict[str, str], Claims]],
) -> None:
    found = [(identify(*one), names_in(*one)) for one in said]
    for position, (one, named) in enumerate(found):
        for other, also_named in found[position + 1 :]:
            if one.trajectory_id == other.trajectory_id:
                assert one.trajectory_id in named & also_named
            if one.group_id == other.group_id:
                assert one.group_id in named & also_named
        if not named:
            assert one.trajectory_id == one.group_id


@given(*[st.text(st.characters(exclude_characters="\0"))] * 4)
def test_trajectories_of_different_tenants_never_have_the_same_scope(a: str, b: str, c: str, d: str) -> None:
    assert (scope_of(a, b) == scope_of(c, d)) == ((a, b) == (c, d))
    assert trajectory_of(scope_of(a, b)) == b
