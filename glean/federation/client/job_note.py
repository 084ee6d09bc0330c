"""Which round a client's job for a buffer was begun in, kept in its node's own state."""

from __future__ import annotations

from flwr.app import RecordDict

from glean.aggregation.buffered import staleness_weight
from glean.errors import FederationError
from glean.federation.workload.client_state import ClientState
from glean.settings import RunSettings

_NAME = "glean-job"


def note_job(state: RecordDict, number: int) -> None:
    """Note that a job was begun in a round; it takes the place of the one before."""
    ClientState(state).put(_NAME, str(number), {})


def discount_of(state: RecordDict, number: int, settings: RunSettings) -> float | None:
    """Say how much the job counts in a round's sum; None where rounds wait for all.

    The client counts by itself: a server has no say in what an update weighs.

    Raises
    ------
    FederationError
        There is no job here, or it is too stale.
    """
    if not settings.rounds.buffered:
        return None
    begun = ClientState(state).text(_NAME)
    if not begun:
        raise FederationError("found no job here for the sum; wanted one that was begun before")
    staleness, bound = number - int(begun), settings.asynchronous.staleness_bound
    if not 0 <= staleness <= bound:
        raise FederationError(
            f"round {number}: found a job of round {begun}; wanted one of at most {bound} rounds "
            "before, as staleness-bound says"
        )
    return staleness_weight(staleness, settings.asynchronous.staleness_exponent)
