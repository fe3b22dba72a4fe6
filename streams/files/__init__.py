"""What lies beside the log: blobs by content hash, snapshots of weights, a queue on disk."""
