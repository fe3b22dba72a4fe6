"""What answers calls: rollout nodes, a provider, a reward service."""
