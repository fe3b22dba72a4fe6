"""Trajectories are opened no faster than the trainer can use them."""

import pytest

from clawstream.gateway.errors import ApiError
from clawstream.gateway.trajectories.memory import Trajectories
from clawstream.gateway.trajectories.pacing import Opening, Pace, counts, wait_seconds
from clawstream.gateway.upstreams.follow import Versions
from clawstream.streams.settings import KafkaSettings
from tests.builders import a_version
from tests.gateway.fake_node import FakeNode
from tests.gateway.harness import gateway, until

PACE = Pace(trajectories_per_version=2, max_policy_lag=1, pace_seconds=60.0)


def openings(*versions: int, at_seconds: float = 0.0) -> list[Opening]:
    return [Opening(version=version, at_seconds=at_seconds) for version in versions]


def test_as_many_as_the_lag_allows_may_be_opened() -> None:
    assert wait_seconds(openings(3, 3, 3), 3, 1.0, PACE) is None
    assert wait_seconds(openings(3, 3, 3, 3), 3, 1.0, PACE) == 1


def test_openings_of_old_versions_stop_counting() -> None:
    assert wait_seconds(openings(3, 3, 3, 3), 4, 1.0, PACE) is not None
    assert wait_seconds(openings(3, 3, 3, 3), 5, 1.0, PACE) is None


def test_openings_stop_counting_after_a_time() -> None:
    assert counts(openings(3)[0], 3, 59.9, PACE)
    assert not counts(openings(3)[0], 3, 60.0, PACE)
    assert wait_seconds(openings(3, 3, 3, 3), 3, 60.0, PACE) is None


def test_zero_paces_nobody() -> None:
    off = Pace(trajectories_per_version=0, max_policy_lag=0, pace_seconds=1.0)
    assert wait_seconds(openings(*[0] * 1000), 0, 0.0, off) is None


class Version:
    newest = of_adapter = 0

    def of(self, adapter: str | None) -> int:
        return self.newest if adapter is None else self.of_adapter


def trajectories(pace: Pace = PACE, max_trajectories: int = 100) -> tuple[Trajectories, Version]:
    version = Version()
    return Trajectories(pace, max_trajectories, version.of), version


def test_a_known_trajectory_goes_on_while_new_ones_wait() -> None:
    kept, version = trajectories()
    for name in "abcd":
        kept.admit(name, None, 0.0)
    with pytest.raises(ApiError) as refused:
        kept.admit("e", None, 1.0)
    assert (refused.value.status, refused.value.retry_after_seconds) == (429, 1)
    assert "4 train trajectories were opened during the last 2 policy versions" in str(refused.value)
    kept.admit("a", None, 1.0)
    version.newest = 2
    kept.admit("e", None, 1.0)


def test_a_tenants_adapter_is_paced_by_its_own_versions_and_trajectories() -> None:
    kept, version = trajectories()
    for name in "abcd":
        kept.admit(f"acme {name}", None, 0.0, adapter="policy-acme")
        kept.admit(name, None, 0.0)
    version.newest = 9
    with pytest.raises(ApiError, match=r"4 train trajectories of policy-acme were opened .* version 0 is the newest"):
        kept.admit("acme e", None, 1.0, adapter="policy-acme")
    kept.admit("e", None, 1.0)
    version.of_adapter = 2
    kept.admit("acme e", None, 1.0, adapter="policy-acme")


def test_a_registered_trajectory_counts_by_the_adapter_that_its_first_call_names() -> None:
    kept, version = trajectories()
    version.of_adapter = 2
    for name in "abcd":
        kept.admit(name, None, 0.0)
        kept.admit(name, None, 0.5, adapter="policy-acme")
    kept.admit("e", None, 1.0)  # the whole model has room again
    with pytest.raises(ApiError, match=r"4 train trajectories of policy-acme were opened .* version 2 is the newest"):
        kept.admit("f", None, 1.0, adapter="policy-acme")
    kept.admit("a", None, 1.0, adapter="policy-acme")


def test_versions_are_the_adapters_own_until_it_is_retired() -> None:
    versions = Versions()
    for weights in (a_version(7), a_version(2, model="policy-acme", base="policy")):
        versions.apply(weights)
    assert [versions.of(versions.apart(model)) for model in (None, "policy", "policy-acme", "gpt-5")] == [7, 7, 2, 7]
    versions.apply(a_version(2, model="policy-acme", base="policy", retired=True))
    assert (versions.apart("policy-acme"), versions.of("policy-acme")) == (None, 7)


def test_another_whole_model_counts_versions_of_its_own() -> None:
    versions = Versions()
    assert (versions.newest, versions.apart("policy"), versions.of(None)) == (0, None, 0)
    for weights in (a_version(7), a_version(90, model="large"), a_version(8)):
        versions.apply(weights)
    assert versions.newest == 8
    assert [versions.apart(model) for model in ("policy", "large", None)] == [None, "large", None]
    assert [versions.of(model) for model in (None, "large")] == [8, 90]


def test_validation_and_side_turns_are_not_paced() -> None:
    kept, _ = trajectories()
    for number in range(20):
        kept.admit(f"v{number}", "val", 0.0)
        kept.admit(f"s{number}", None, 0.0, trains=False)
    for name in "abcd":
        kept.admit(name, None, 0.0)
    assert kept.channel("v3") == "val"
    assert kept.channel("a") == kept.channel("never seen") == "train"


def test_a_place_is_given_back() -> None:
    kept, _ = trajectories()
    for name in "abcd":
        kept.admit(name, None, 0.0)
    kept.admit("a", "val", 0.0)
    kept.admit("e", None, 0.0)
    kept.abort("b")
    kept.admit("f", None, 0.0)
    with pytest.raises(ApiError):
        kept.admit("g", None, 0.0)


def test_memory_is_bounded() -> None:
    kept, _ = trajectories(max_trajectories=3)
    for number in range(10):
        kept.admit(f"v{number}", "val", 0.0)
    assert kept.channel("v9") == "val"
    assert kept.channel("v0") == "train"


@pytest.mark.kafka
async def test_pacing_refuses_openings_and_neither_other_channels_nor_what_is_open(kafka: KafkaSettings) -> None:
    pace = {"trajectories_per_version": 1, "max_policy_lag": 0}
    async with gateway(kafka, FakeNode(), **pace) as one, gateway(kafka, FakeNode(), **pace) as two:
        assert (await one.chat("/t/g/v1"))[0] == 200
        assert (await two.chat("/u/g/v1"))[0] == 200
        for _ in range(3):
            status, headers, body = await two.chat("/v/g/v1")
            assert (status, body["error"]["code"], headers["Retry-After"]) == (429, "paced", "1")
            assert (await two.chat("/w/g/v1", {"X-Turn-Type": "side"}))[0] == 200
            assert (await two.chat("/w/g/v1"))[0] == 429
            assert (await two.chat("/v1", {"X-ClawStream-Channel": "live"}))[0] == 200
            assert (await two.post("/x/g/v1/register_trajectory", {"channel": "live"}))[0] == 200
            assert (await two.chat("/x/g/v1"))[0] == 200
            assert (await two.chat("/u/g/v1"))[0] == 200
        two.gateway.versions.apply(a_version(0, model="policy-acme", base="policy"))
        assert (await two.chat("/y/g/v1"))[0] == 429
        assert (await two.chat("/y/g/v1", model="policy-acme"))[0] == 200  # it has a pace of its own, also without keys
        assert (await two.chat("/z/g/v1", model="policy-acme"))[0] == 429
        await until(lambda: two.gateway.is_open("t"))
        assert (await two.chat("/t/g/v1"))[0] == 200
        assert (await two.chat("/t/g/v1"))[0] == 200
