"""The console: what agents do, what judges said, and what trains; over an index that is built from topics alone."""
