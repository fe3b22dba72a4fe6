"""What belongs to a step or a trajectory besides itself: what followed, its rewards, and what reviewers said. Pure."""
