"""``kill -9`` between any two acknowledgements: every step still ends once."""

from collections import Counter

from clawstream.processors.stages import Groups, Trajectories
from clawstream.schemas import Trajectory
from clawstream.topics import REJECTED
from tests.builders import a_feedback, a_step
from tests.processors.conversations import a_tree
from tests.processors.simulated import Worker


def test_a_crash_after_a_rejection_was_sent_does_not_let_its_step_train() -> None:
    worker = Worker()
    worker.taken(a_feedback("opened", group_size=1), a_step(step_id="s1"), a_feedback())
    due = worker.decided(worker.trajectories, 25_000)
    worker.send([output for output in due.outputs if output.topic is REJECTED])  # acknowledged, and then kill -9
    worker.crash()
    worker.taken(a_feedback("rewarded", reward=1.0), now_ms=26_000)  # it was appended meanwhile
    worker.finish()
    assert worker.ends() == Counter(["s1"])


def test_a_crash_after_a_trajectory_was_sent_loses_no_step_that_comes_then() -> None:
    worker = Worker()
    worker.taken(a_step(step_id="s1"), a_feedback("rewarded", reward=1.0))
    worker.send(worker.decided(worker.trajectories, 100_000).outputs)  # idle, told with s1, then kill -9
    worker.crash()
    worker.taken(a_step([5], [6], step_id="s2"), now_ms=100_500)  # the session goes on
    worker.finish()
    assert worker.ends() == Counter(["s1", "s2"])


def test_a_crash_after_a_group_was_rejected_does_not_let_its_steps_train() -> None:
    worker = Worker()
    first, second = (_closed(name) for name in ("a", "b"))
    worker.taken(first)
    worker.send(worker.decided(worker.groups, 11_000).outputs)  # group_too_small is told, then kill -9
    worker.crash()
    worker.taken(second, now_ms=12_000)
    worker.tick(12_001)
    assert worker.ends()["step of a"] == 1


def test_a_crash_between_a_state_and_its_bytes_loses_no_step() -> None:
    worker, step = Worker(), a_step(step_id="s1")
    worker.take(step, 0).settle()
    worker.flush()
    worker.tables[0].acknowledge()  # the changelog of states; that of bytes is another topic, and kill -9 comes first
    worker.crash()
    worker.taken(step, a_feedback(reward=1.0), now_ms=1)  # read again, as its offset was not committed
    worker.finish()
    assert worker.ends() == Counter(["s1"])


def test_a_crash_between_a_group_and_the_bytes_of_its_members_loses_none() -> None:
    worker, members = Worker(), [_closed("a"), _closed("b")]
    for member in members:
        worker.take(member, 0).settle()
    worker.flush()
    worker.tables[2].acknowledge()  # the group has both, and is complete; of the bytes nothing, and kill -9 comes
    worker.crash()
    worker.tick(1)  # before they are read again
    worker.taken(*members, now_ms=2)
    worker.tick(3)
    assert worker.ends() == Counter(["step of a", "step of b"])


def test_a_crash_before_a_late_step_is_rejected_loses_no_step() -> None:
    worker, late = Worker(), a_step(step_id="late")
    worker.taken(a_feedback("aborted"))
    worker.tick(1)
    worker.take(late, 2)  # its rejection is not sent yet
    worker.acknowledge()
    worker.crash()
    worker.taken(late, now_ms=3)
    assert worker.ends()["late"] == 1


def test_a_crash_while_the_bytes_of_steps_go_ends_no_step_twice() -> None:
    worker = Worker()
    worker.taken(a_feedback("opened", group_size=1), *a_tree([None, 0]), a_feedback(reward=1.0))
    _put_out(worker, worker.trajectories)
    assert [name.endswith(b"s0") for name in worker.tables[1].durable] == [True, False]
    worker.tables[1].durable.popitem()  # the changelog got as far as one of two
    worker.crash()
    worker.finish()
    assert worker.ends() == Counter(["s0", "s1"])


def test_a_crash_while_the_bytes_of_members_go_ends_no_step_twice() -> None:
    worker = Worker()
    worker.taken(_closed("a"), _closed("b"))
    _put_out(worker, worker.groups)
    worker.tables[3].durable.popitem()
    worker.crash()
    worker.tick(2)
    assert worker.ends() == Counter(["step of a", "step of b"])


def test_bytes_stay_until_the_state_that_needs_them_no_more_is_durable() -> None:
    worker = Worker()
    worker.taken(a_feedback("opened", group_size=1), a_step(step_id="s0"), a_feedback(reward=1.0))
    due = worker.decided(worker.trajectories, 1)
    worker.send(due.outputs)
    due.settle()
    assert len(worker.tables[1]) == 1
    worker.acknowledge()
    due.clean_up()
    assert len(worker.tables[1]) == 0


def test_bytes_that_a_crash_left_behind_go_when_their_trajectory_is_forgotten() -> None:
    worker = Worker()
    worker.taken(a_feedback("opened", group_size=1), a_step(step_id="s0"), a_feedback(reward=1.0))
    _put_out(worker, worker.trajectories)
    worker.crash()
    assert len(worker.tables[1]) == 1
    worker.trajectories.forget_old(1_000, lambda _: 1_000)
    assert [len(table) for table in worker.tables[:2]] == [0, 0]


def _put_out(worker: Worker, stage: Trajectories | Groups) -> None:
    """Up to the moment when bytes may go."""
    due = worker.decided(stage, 1)
    worker.send(due.outputs)
    due.settle()
    worker.acknowledge()


def _closed(name: str) -> Trajectory:
    worker = Worker()
    worker.taken(a_step(trajectory_id=name, step_id=f"step of {name}"), a_feedback(trajectory_id=name, reward=1.0))
    worker.tick(1)
    (told,) = [o.record for o in worker.sent if isinstance(o.record, Trajectory)]
    return told
