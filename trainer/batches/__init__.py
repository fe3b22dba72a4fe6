"""From samples to windows and packed batches."""
