"""Tests of the workload of pictures."""
