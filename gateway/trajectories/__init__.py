"""What this gateway knows of trajectories, its own and those that other gateways answered."""
