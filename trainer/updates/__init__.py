"""One update of the weights, from a window of samples."""
