from clawstream.gateway.seen import Seen


def test_the_trajectories_seen_last_are_known_with_their_groups() -> None:
    seen = Seen(2)
    seen.note("a", "g")
    seen.note("a")
    seen.note("b")
    assert (seen.group("a"), seen.group("b"), seen.group("c")) == ("g", "b", "c")
    seen.note("a")
    seen.note("c")
    assert ["a" in seen, "b" in seen, "c" in seen] == [True, False, True]
