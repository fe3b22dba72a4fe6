"""What is in service, and beside which adapters a trainer of everybody's samples must not go on."""

from pathlib import Path

import pytest

from clawstream.schemas import WeightVersion
from clawstream.trainer.errors import RetiredError, TrainerError
from clawstream.trainer.settings import TrainerSettings
from clawstream.trainer.versions.announced import Announced, require_apart, require_in_service
from tests.builders import a_version


def an_adapter(version: int, name: str = "acme", **fields: object) -> WeightVersion:
    return a_version(version, **({"model": f"policy-{name}", "base": "policy", "tenant": name} | fields))


def announced(*records: WeightVersion) -> Announced:
    found = Announced()
    for record in records:
        found.note(record)
    return found


def settings(**fields: object) -> TrainerSettings:
    return TrainerSettings(model=Path("model"), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "records",
    [
        [],
        [an_adapter(7)],
        [an_adapter(7), an_adapter(7, "other", retired=True)],
        [an_adapter(7), an_adapter(7, retired=True), an_adapter(7)],
        [an_adapter(7), an_adapter(7, retired=True), an_adapter(7), an_adapter(8)],
    ],
    ids=["nothing", "announced", "another's", "restored", "restored and trained on"],
)
def test_in_service(records: list[WeightVersion]) -> None:
    require_in_service(announced(*records), "policy-acme")


@pytest.mark.parametrize("crossed", [[], [an_adapter(8)], [an_adapter(8), an_adapter(9)]])
def test_a_retirement_holds_for_versions_that_crossed_it(crossed: list[WeightVersion]) -> None:
    found = announced(an_adapter(7), an_adapter(7, retired=True), *crossed)
    with pytest.raises(RetiredError, match=r"policy-acme was retired .* clawstream weights restore policy-acme"):
        require_in_service(found, "policy-acme")


def test_a_trainer_of_all_does_not_begin_beside_a_tenants_adapter() -> None:
    found = announced(a_version(3), an_adapter(7), an_adapter(1, "other"), an_adapter(2, "gone", retired=True))
    with pytest.raises(TrainerError, match="policy-acme of acme, policy-other of other; name their tenants in"):
        require_apart(found, settings())
    with pytest.raises(TrainerError, match="too: policy-other of other; "):
        require_apart(found, settings(tenants_left_out="acme"))
    require_apart(found, settings(tenants_left_out="acme, other"))
    require_apart(found, settings(tenant="third", lora_rank=4, adapter_of="policy"))


def test_an_adapter_of_everybodys_is_beside_itself_alone() -> None:
    found = announced(an_adapter(7, tenant="", model="ours"))
    require_apart(found, settings(model_name="ours", lora_rank=4, adapter_of="policy"))
    with pytest.raises(TrainerError, match="ours of no tenant"):
        require_apart(found, settings(tenants_left_out="acme"))
