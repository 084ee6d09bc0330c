"""Of whom what was opened, where each group of a run is a cohort of its own."""

from __future__ import annotations

from collections.abc import Collection

from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.cohort_memory import CohortMemory
from glean.federation.coordination.groups import Groups


class GroupedCohorts(CohortMemory):
    """Remembers what was opened over whom, and chooses group by group.

    Groups have nobody in common, so that the difference of two of their sums tells of both as
    wholes, no more than each sum does.

    Parameters
    ----------
    manager : ClientManager
        The clients.
    groups : Groups
        The run's.

    Raises
    ------
    FederationError
        As `CohortMemory`.
    """

    def __init__(self, manager: ClientManager, groups: Groups) -> None:
        self._groups = groups
        super().__init__(manager)

    @property
    def floor(self) -> int:
        """By how many two cohorts have to differ: what the groups were drawn with."""
        return 0 if self._manager.settings.noise.wanted else self._groups.floor

    def choose(
        self, rows: str, wanted: Collection[str], *, there: Collection[str], steady: bool = False
    ) -> tuple[str, ...]:
        """Choose in each group as `CohortMemory` does; nobody where most groups may not be opened.

        Parameters are the same.
        """
        found = []
        for place, names in self._groups.parted(wanted):
            present = {*there} & {*self._groups.members[place]}
            chosen = super().choose(rows, names, there=present, steady=steady)
            if len(chosen) >= max(1, self.floor):
                found.append(chosen)
        if len(found) < self._groups.least:
            return ()
        return tuple(sorted(name for names in found for name in names))

    def left_of(self, rows: str, there: Collection[str]) -> tuple[str, ...]:
        """Name those who are there of all groups of which something was opened."""
        return tuple(sorted(self._named(rows).intersection(there)))

    def missing(self, rows: str) -> str:
        """Say who of those with whom something was opened isn't there."""
        return ", ".join(sorted(self._named(rows) - self._manager.clients.present))

    def _named(self, rows: str) -> frozenset[str]:
        """Name all with whom something was opened, whatever their group."""
        return frozenset().union(*self._opened.cohorts.get(rows, ()))
