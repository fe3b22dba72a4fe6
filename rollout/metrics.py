"""Prometheus metrics of a rollout node."""

from prometheus_client import Counter, Gauge, Histogram

VERSION = Gauge("clawstream_node_version", "Policy version being served")
SWAPS = Counter("clawstream_swaps", "Weight swaps, and how the weights came: disk or transfer", ["outcome", "way"])
SWAP_SECONDS = Histogram(
    "clawstream_swap_seconds", "Duration of a swap", buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
)
