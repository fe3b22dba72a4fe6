"""From the records of a trajectory to what a page tells of it. Pure."""
