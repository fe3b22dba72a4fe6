"""The session's node, for the tests of this folder."""

from tests.vllm_node import node

__all__ = ["node"]
