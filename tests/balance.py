"""In which order files are run, and which of them by one of ``make test``'s processes.

Invariant: the longest begin first, so that no process is left with one of them at the end; and all that share the
session's vLLM are run by one process, so that a second one is never started. The tests of a file stay in their order.
"""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

NODE = "the session's vLLM"
WITH_NODE = (
    "tests/rollout/test_vllm.py",
    "tests/rollout/test_transfer_vllm.py",
    "tests/gateway/test_exact_tokens.py",
    "tests/gateway/test_real_node.py",
    "tests/agents/test_real_node.py",
    "tests/processors/rewards/test_real_teacher.py",
)
LONGEST = (  # as measured; what mostly waits lies between the three that start a vLLM, which keeps all cores busy
    "tests/loop/test_loop.py",
    "tests/processors/worker/test_worker.py",
    NODE,
    "tests/gateway/test_outage.py",
    "tests/examples/personal/test_tenants.py",
    "tests/streams/broker/test_server.py",
    "tests/agents/test_command.py",
    "tests/trainer/test_command.py",
)


class LongestFirst(LoadFileScheduling):
    """xdist's ``--dist=loadfile``, in the order of :func:`turn`."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # by their number of tests, which says nothing of their length

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def unit(nodeid: str) -> str:
    """What is run by one process: the test's file, or all that share the node."""
    file = nodeid.partition("::")[0]
    return NODE if file in WITH_NODE else file


def turn(nodeid: str) -> int:
    """When the test's unit begins: the least is first."""
    name = unit(nodeid)
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)
