"""For those who write agents: a client of the gateway, and a runner of flows. Both speak HTTP and nothing else."""
