"""Everything on one machine: which processes there are, and keeping them alive."""
