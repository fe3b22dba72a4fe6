"""How such rewards are tested: no broker, no model.

python -m pytest examples/rewards
"""

import my_rewards

from clawstream.processors.testing import conversation, run

SUM = ("2 + 2?", "It is 4.")
TOOLS = [{"role": "tool", "content": "4"}, {"role": "tool", "content": "Error: no such file"}]


def test_a_solved_task_is_worth_one() -> None:
    outcome = run(my_rewards, conversation(SUM, metadata={"answer": 4}))
    assert outcome.values("solved") == [1.0]
    assert [sample.reward for sample in outcome.samples] == [1.0]


def test_without_an_expected_answer_there_is_no_reward() -> None:
    outcome = run(my_rewards, conversation(SUM))
    assert outcome.values("solved") == [None]
    assert [rejection.reason for rejection in outcome.rejected] == ["reward_missing"]


def test_one_tool_that_failed_is_a_failure() -> None:
    outcome = run(my_rewards, conversation(SUM, (TOOLS, "I see."), reward=1.0))
    assert outcome.values("tools_worked") == [-1.0]
    assert outcome.values("brevity") == [0.0, 0.0]
