from clawstream.demo.account import reckon
from clawstream.schemas import Rejection, UpdateReport
from tests.builders import NOON, a_sample


def a_rejection(step_id: str) -> Rejection:
    return Rejection(
        rejection_id=f"r-{step_id}",
        trajectory_id="t1",
        step_id=step_id,
        group_id="g1",
        tenant="default",
        channel="train",
        reason="late",
        detail="late",
        at=NOON,
    )


def an_update(version: int, *sample_ids: str) -> UpdateReport:
    return UpdateReport(
        update_id=f"u{version}",
        model="policy",
        version=version,
        parent=version - 1,
        algorithm="grpo",
        at=NOON,
        sample_ids=list(sample_ids),
        discarded=[],
        response_token_count=1,
        reward_mean=0.5,
        policy_lag_mean=0.0,
        policy_lag_max=0,
        consumer_lag_records=0,
        seconds=1.0,
        metrics={},
    )


def test_a_closed_account() -> None:
    samples = [a_sample(sample_id="a", step_ids=["1", "2"])]
    account = reckon({"1", "2", "3"}, samples, [a_rejection("3")], [an_update(1, "a")], {})
    assert account.closed
    assert (account.steps, account.samples, account.rejected, account.trained) == (3, 1, 1, 1)
    assert account.policy_versions == 1


def test_a_step_in_two_places_and_one_in_none_are_counted() -> None:
    samples = [a_sample(sample_id="a", step_ids=["1"])]
    account = reckon({"1", "2"}, samples, [a_rejection("1")], [], {})
    assert (account.steps_open, account.steps_twice) == (1, 1)
    assert not account.closed


def test_a_sample_trained_twice_is_counted() -> None:
    account = reckon(set(), [], [], [an_update(1, "a"), an_update(2, "a", "b")], {})
    assert (account.trained, account.trained_twice) == (2, 1)
