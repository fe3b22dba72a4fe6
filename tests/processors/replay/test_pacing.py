import time

from clawstream.processors.replay.pacing import Pace


async def test_rests_as_long_as_records_are_too_many() -> None:
    pace, began = Pace(100.0), time.monotonic()
    await pace.took(5)
    assert time.monotonic() - began >= 0.05
    assert 0 < pace.seconds_to_wait(began) < 0.06
    assert Pace(0.0).seconds_to_wait(began) == 0
