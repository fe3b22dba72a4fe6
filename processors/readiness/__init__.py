"""When a trajectory or a step becomes a sample, and why not: decisions over states. Pure."""
