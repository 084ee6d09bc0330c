"""Fisher's irises: the smallest workload, shown in `docs/workloads.md`."""
