"""The seam at which a workload brings its data, models and metrics."""
