"""From the samples of a window to packed batches."""
