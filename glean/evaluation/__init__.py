"""Evaluation: forecasts and actuals become baselines, scores, figures and the report."""
