"""Why a coordinator stops before its run has ended."""

from __future__ import annotations

from glean.errors import GleanError


class LeaseLostError(GleanError):
    """A peer isn't the run's coordinator any more: another one may be, and goes on with it.

    No `FederationError`: nobody on the way may take it for a client that can't be reached.
    """


class LocalFailureError(GleanError):
    """One machine can't conduct the run, say as its disk is full; another one may be able to."""
