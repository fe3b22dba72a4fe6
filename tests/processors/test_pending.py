"""What is sent when, and what is kept after it."""

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from clawstream.processors.output import Output
from clawstream.processors.pending import Pending
from clawstream.processors.stages import Due
from clawstream.topics import REWARDS
from tests.builders import a_reward


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), st.booleans())))
def test_a_state_is_kept_after_its_outputs_and_before_the_next_record_of_its_owner(
    records: list[tuple[bytes, bool]],
) -> None:
    log: list[Any] = []

    async def emit(outputs: list[Output]) -> None:
        log.extend(("sent", output.record) for output in outputs)

    async def batch() -> None:
        pending = Pending(emit)
        for number, (owner, has_output) in enumerate(records):
            await pending.make_room(owner)
            log.append(("looked at", owner, number))
            reward = a_reward(reward_id=str(number))
            outputs = [Output(REWARDS, reward)] if has_output else []
            pending.add(owner, Due(outputs=outputs, keep=[lambda n=number, o=owner: log.append(("kept", o, n))]))
        await pending.finish()

    asyncio.run(batch())
    kept = [entry[1:] for entry in log if entry[0] == "kept"]
    assert sorted(number for _, number in kept) == list(range(len(records)))
    for number, (owner, has_output) in enumerate(records):
        at = log.index(("kept", owner, number))
        if has_output:
            assert log.index(("sent", a_reward(reward_id=str(number)))) < at
        following = [n for n, (other, _) in enumerate(records) if other == owner and n > number]
        if following:
            assert at < log.index(("looked at", owner, following[0]))
