from clawstream.gateway.trajectories.seen import Seen


def test_the_trajectories_seen_last_are_known_with_their_groups() -> None:
    seen = Seen(2)
    seen.note("x", "a", "g")
    seen.note("x", "a")
    seen.note("x", "b")
    assert (seen.group("a"), seen.group("b"), seen.group("c")) == ("g", "b", "c")
    seen.note("x", "a")
    seen.note("x", "c")
    assert ["a" in seen, "b" in seen, "c" in seen] == [True, False, True]


def test_the_first_tenant_stays_the_owner() -> None:
    seen = Seen(2)
    seen.note("x", "a", "g")
    seen.note("y", "a", "h")
    assert (seen.owner("a"), seen.group("a"), seen.owner("b")) == ("x", "g", None)
