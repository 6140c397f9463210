"""Storage: the tables, the two stores, the one writer and the sidecar of heads."""
