"""Personal learning, as OpenClaw-RL has it: a policy learns what its user likes from how the user goes on."""
