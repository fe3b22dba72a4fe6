"""The gateway: answers agents, and records exactly what they asked and what was sampled."""
