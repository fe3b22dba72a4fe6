"""Which rollouts there are. How they are run is in ``test_command.py``, on real parts."""

from hypothesis import given
from hypothesis import strategies as st

from clawstream.agents.runner import rollouts_of
from clawstream.agents.tasks import Task


@given(st.integers(0, 5), st.integers(1, 5))
def test_each_task_is_one_group_of_so_many_rollouts_in_order(tasks: int, count: int) -> None:
    given_tasks = [Task(content={"n": number}, where=str(number)) for number in range(tasks)]
    rollouts = list(rollouts_of(given_tasks, count))
    assert [rollout.task for rollout in rollouts] == [task for task in given_tasks for _ in range(count)]
    groups = [rollout.group_id for rollout in rollouts]
    assert len(set(groups)) == tasks
    assert all(len(set(groups[first : first + count])) == 1 for first in range(0, len(groups), count))
