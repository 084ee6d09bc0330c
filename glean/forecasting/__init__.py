"""Forecasting: a model and one bakery's table become a forecast in units."""
