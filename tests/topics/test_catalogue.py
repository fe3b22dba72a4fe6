import ast
from pathlib import Path

from clawstream import topics
from clawstream.topics import CATALOGUE, FEEDBACK, REWARDS, SAMPLES, STEPS, TRAJECTORIES, WEIGHTS
from tests.builders import a_feedback, a_sample, a_step, a_trajectory

ROOT = Path(__file__).parents[2]
CONSTANTS = {name: topic for name, topic in vars(topics).items() if topic in CATALOGUE and name.isupper()}


def test_names_are_unique() -> None:
    names = [topic.name for topic in CATALOGUE] + [topic.dead for topic in CATALOGUE]
    assert len(names) == len(set(names))


def test_what_is_joined_has_one_key() -> None:
    assert STEPS.key(a_step()) == FEEDBACK.key(a_feedback()) == "t1"
    assert TRAJECTORIES.key(a_trajectory()) == SAMPLES.key(a_sample()) == "g1"


def test_retention_is_what_kafka_is_told() -> None:
    assert STEPS.config() == {"cleanup.policy": "delete", "retention.ms": str(30 * 24 * 3600 * 1000)}
    assert REWARDS.config() == {"cleanup.policy": "delete", "retention.ms": "-1"}
    assert WEIGHTS.config() == {"cleanup.policy": "compact"}


def test_only_its_writer_sends_to_a_topic() -> None:
    senders: dict[str, set[str]] = {}
    for app in ("gateway", "processors", "trainer", "rollout", "console", "dataset", "streams", "up", "demo", "cli"):
        for path in (ROOT / app).rglob("*.py"):
            for topic in _sent(ast.parse(path.read_text())):
                senders.setdefault(topic, set()).add(app)
    assert set(senders) == set(CONSTANTS)
    assert senders == {name: {CONSTANTS[name].writer} for name in senders}


def _sent(tree: ast.AST) -> set[str]:
    """Catalogue constants that stand first in a call that sends."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    return {
        call.args[0].id
        for call in calls
        if isinstance(call.args[0], ast.Name) and call.args[0].id in CONSTANTS and _name(call.func) in _SENDING
    }


_SENDING = {"send", "asend", "write", "Output"}


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
