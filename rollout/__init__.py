"""A rollout node: a vLLM server that follows the weights."""
