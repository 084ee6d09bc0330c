"""Forecasts and bake plans of a bakery, with what is known of the days ahead."""
