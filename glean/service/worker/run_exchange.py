"""How run folders come to a worker and go from it: here both see the same folder of results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from glean.runs.index import find_run, is_run
from glean.settings import ConfigValue


class RunExchange(Protocol):
    """How a worker's run folders reach the service, and those of other workers this one."""

    def fetch(self, flower_id: str, *, wait_while: Callable[[], bool] | None = None) -> Path | None:
        """Give the folder of a run of an attempt that was cut off; None where it isn't at hand.

        Parameters
        ----------
        flower_id : str
            Flower's id of the run.
        wait_while : callable, optional
            Whether the run is still wanted here, of who would begin it anew otherwise: what brings
            it is waited for, for a while.
        """
        ...

    def bring(self, settings: Mapping[str, ConfigValue], goes_on: Callable[[], bool]) -> None:
        """Have at hand what a request names below the results: tables, models, other runs.

        Parameters
        ----------
        settings : mapping
            Run config of the request.
        goes_on : callable
            Whether the run is still wanted here; nothing is waited for once it isn't.

        Raises
        ------
        GleanError
            Something can't be had.
        """
        ...

    def send(self, folder: Path) -> None:
        """Have passed on what a run's folder has by now; returns at once."""
        ...

    def send_last(self, folder: Path) -> None:
        """Pass on all that a run's folder has, since its process has ended.

        May take its time; what can't be passed on is left for later.
        """
        ...


class SharedResults:
    """One folder of results, which the service and its workers all see.

    Parameters
    ----------
    results : Path
        That folder.
    """

    def __init__(self, results: Path) -> None:
        self._results = results

    def fetch(
        self,
        flower_id: str,
        *,
        wait_while: Callable[[], bool] | None = None,  # noqa: ARG002
    ) -> Path | None:
        """Find it there."""
        found = find_run(self._results, flower_id) if flower_id.isdecimal() else None
        return found if found is not None and is_run(found) else None

    def bring(self, settings: Mapping[str, ConfigValue], goes_on: Callable[[], bool]) -> None:
        """Do nothing: it is there already."""

    def send(self, folder: Path) -> None:
        """Do nothing: it is there already."""

    def send_last(self, folder: Path) -> None:
        """Do nothing: it is there already."""
