"""The models under training, and the ranks that share them."""
