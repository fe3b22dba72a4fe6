"""A tenant's calls are answered by its own adapter, and by no other's."""

from pathlib import Path
from typing import Any

import pytest

from clawstream.gateway.callers.keys import digest_of
from clawstream.streams.settings import KafkaSettings
from tests.gateway.fake_node import FakeNode, announce, status_of
from tests.gateway.harness import gateway, until

pytestmark = pytest.mark.kafka

OURS, OTHERS = ({"Authorization": f"Bearer {key}"} for key in ("a", "b"))


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """``x`` has a policy of its own, ``y`` has none."""
    file = tmp_path / "keys.toml"
    file.write_text(f'[x]\nkeys = ["{digest_of("a")}"]\npolicy = "policy-x"\n[y]\nkeys = ["{digest_of("b")}"]\n')
    return file


async def test_a_tenant_is_answered_by_its_policy_whatever_it_asks_for(kafka: KafkaSettings, keys: Path) -> None:
    node = FakeNode()
    async with gateway(kafka, node, keys_file=keys) as client:

        async def call(trajectory: str, headers: dict[str, str], model: str) -> Any:
            return (await client.chat(f"/{trajectory}/g/v1", headers, model=model))[0]

        assert await call("before", OURS, "gpt-5") == 200  # the model answers until the adapter is there
        await announce(kafka, status_of(node, "n0:policy-x", model="policy-x", version=7, base="policy"))
        await until(lambda: len(client.gateway.nodes.live()) == 2)
        assert [await call("after", OURS, "gpt-5"), await call("other", OTHERS, "policy-x")] == [200, 200]
        listed = [(await client.get("/v1/models", headers))[1]["data"] for headers in (OURS, OTHERS)]
        steps = await client.steps(3)
    assert [body["model"] for body in node.bodies] == ["policy", "policy-x", "policy"]
    assert {step.trajectory_id: step.model for step in steps} == {
        "before": "policy",
        "after": "policy-x",
        "other": "policy",
    }
    assert [sorted(model["id"] for model in models) for models in listed] == [["policy", "policy-x"], ["policy"]]
