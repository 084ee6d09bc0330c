"""Glean: federated demand forecasting for small bakeries."""

__version__ = "0.1.0"
