"""Who may look, and what browsers may do."""
