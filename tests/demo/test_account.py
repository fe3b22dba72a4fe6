from clawstream.demo.account import reckon
from tests.builders import a_rejection, a_sample, an_update


def test_a_closed_account() -> None:
    samples = [a_sample(sample_id="a", step_ids=["1", "2"])]
    account = reckon({"1", "2", "3"}, samples, [a_rejection("3")], [an_update(1, sample_ids=["a"])], {})
    assert account.closed
    assert (account.steps, account.samples, account.rejected, account.trained) == (3, 1, 1, 1)


def test_a_step_in_two_places_and_one_in_none_are_counted() -> None:
    samples = [a_sample(sample_id="a", step_ids=["1"])]
    account = reckon({"1", "2"}, samples, [a_rejection("1")], [], {})
    assert (account.steps_open, account.steps_twice) == (1, 1)
    assert not account.closed


def test_a_sample_trained_twice_is_counted() -> None:
    account = reckon(set(), [], [], [an_update(1, sample_ids=["a"]), an_update(2, sample_ids=["a", "b"])], {})
    assert (account.trained, account.trained_twice) == (2, 1)
