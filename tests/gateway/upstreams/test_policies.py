"""Which model answers whom."""

import pytest

from clawstream.gateway.upstreams.policies import model_for, visible
from clawstream.gateway.upstreams.routing import serving
from tests.gateway.samples import a_node

WHOLE = a_node("n1")
OURS, THEIRS = (a_node(f"n1:{model}", model=model, base="policy") for model in ("policy-ours", "policy-theirs"))
NODES = [WHOLE, OURS, THEIRS]


@pytest.mark.parametrize(
    ("policy", "asked", "several", "node"),
    [
        ("policy-ours", "gpt-5", True, OURS),
        ("policy-ours", "policy-theirs", True, OURS),
        ("policy-ours", "policy", True, OURS),
        (None, "policy-theirs", True, WHOLE),
        (None, "gpt-5", True, WHOLE),
        (None, "policy-theirs", False, THEIRS),  # nobody else is there to be kept apart from
        ("policy-new", "gpt-5", True, WHOLE),  # not served yet
    ],
)
def test_an_adapter_answers_its_tenant_and_nobody_else(
    policy: str | None, asked: str, several: bool, node: object
) -> None:
    assert serving(NODES, model_for(policy, asked, lambda: NODES, several=several)) == [node]


def test_a_call_that_came_before_another_tenants_adapter_does_not_go_to_it() -> None:
    asked = model_for(None, "policy-theirs", list, several=True)
    assert serving(NODES, asked) == [WHOLE]


def test_a_whole_model_of_several_is_asked_for_by_its_name() -> None:
    larger = a_node("n2", model="larger")
    assert serving([WHOLE, larger], model_for(None, "larger", lambda: [WHOLE, larger], several=True)) == [larger]


def test_a_tenant_sees_its_own_adapter_and_whole_models() -> None:
    assert visible("policy-ours", NODES, several=True) == [WHOLE, OURS]
    assert visible(None, NODES, several=True) == [WHOLE]
    assert visible(None, NODES, several=False) == NODES
