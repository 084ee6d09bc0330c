"""Aggregation: updates of many bakeries become one global model, by pure functions."""
