"""The gRPC side: wire message → domain value, domain error → status. Nothing else."""
