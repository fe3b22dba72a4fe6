"""What every process of ours does as a process: children, ports, shutdown, logging, metrics, progress."""
