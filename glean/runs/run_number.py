"""Which run an announcement is of; what else it says is for who wrote it to read."""

from __future__ import annotations

import json

from glean.errors import FederationError


def run_number(announcement: bytes) -> int:
    """Give the number of a run.

    Raises
    ------
    FederationError
        There is none.
    """
    try:
        found = json.loads(announcement)["run_id"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise FederationError("an announcement of a run has no run_id") from error
    if type(found) is not int or not 0 < found < 2**63:
        raise FederationError(f"announcement of a run: found the number {found!r:.40}")
    return found
