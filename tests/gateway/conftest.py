"""Hypothesis for a machine that others use too: no deadlines. The session's real node."""

from hypothesis import HealthCheck, settings

from tests.vllm_node import node

__all__ = ["node"]

settings.register_profile("shared-machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared-machine")
