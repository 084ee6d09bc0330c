"""What a worker is to run, from what the queue says of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from glean.errors import FederationError
from glean.operations.running.run_request import RunRequest
from glean.service.runs.leases import Lease
from glean.service.worker.settings import WorkerSettings
from glean.settings import ConfigValue


def request_of(lease: Lease, settings: WorkerSettings) -> RunRequest:
    """Make the request of a run, for this machine.

    Raises
    ------
    FederationError
        It can't be read.
    """
    if not lease.request:  # asked for before the queue kept that
        asked = RunRequest.read(settings.requests / lease.run_id)
    else:
        try:
            asked = RunRequest.of(lease.request)
        except (TypeError, ValueError) as error:
            raise FederationError(
                f"the request of run {lease.run_id} is damaged, or of a later version of Glean "
                f"({error}); ask for the run anew"
            ) from error
    here = str(settings.results)
    moved = {key: _moved(value, asked.results, here) for key, value in asked.settings.items()}
    return replace(asked, results=here, settings=moved)


def _moved(value: ConfigValue, there: str, here: str) -> ConfigValue:
    """Turn a path below the service's results into the one below this machine's."""
    inside = isinstance(value, str) and Path(value).is_relative_to(there)
    return str(Path(here) / Path(str(value)).relative_to(there)) if inside else value
