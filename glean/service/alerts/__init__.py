"""Alerts: what an operator is told of by webhook, kept until it is delivered."""
