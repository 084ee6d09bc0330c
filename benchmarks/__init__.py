"""Measurements that anyone can rerun: `python -m benchmarks.NAME`."""

import os

# As Glean's own commands do, and before anything imports NumPy: threads that wait for each other on
# a busy machine took thirteen times as long. Processes started from here inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
