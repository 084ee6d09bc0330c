"""How long ago something was, of times that files and tables hold."""

from __future__ import annotations

import datetime as dt


def age_s(at: str) -> float:
    """Give the seconds since a time; 0 for one to come, or that can't be read."""
    try:
        age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(at)
    except (ValueError, TypeError):  # a damaged file's, or one without its zone
        return 0.0
    return max(age.total_seconds(), 0.0)
