"""What updates minimise: advantages, surrogates, corrections, aggregation; each a small file of pure functions."""
