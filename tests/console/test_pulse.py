from collections import deque

from clawstream.console.pulse import rates


def test_a_rate_is_over_the_looks_that_are_kept() -> None:
    assert rates(deque([(10.0, {"steps": 100})])) == {"steps": 0.0}
    assert rates(deque([(10.0, {"steps": 100}), (12.0, {"steps": 104}), (14.0, {"steps": 140})])) == {"steps": 10.0}
