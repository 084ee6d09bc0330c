"""The end of a run at a peer: heard of, its files fetched, laid open, and told to who missed it."""

from __future__ import annotations

import shutil

from glean.mesh.runs.run_end import COMPLETED, RunEnd
from glean.mesh.runs.run_home import RunHome
from glean.mesh.runs.run_plan import RunPlan
from glean.mesh.runs.run_versions import RunVersions
from glean.runs.cut_off import close_run, forget_machine
from glean.runs.index import is_run


class RunEnding:
    """How a run ends at a peer; of one thread at a time.

    Parameters
    ----------
    home : RunHome
        Its files.
    plan : RunPlan
        Its plan.
    versions : RunVersions
        What is stored of it.

    Attributes
    ----------
    heard : bool
        Whether it is over, though files of it may still be missing here.
    ended : RunEnd or None
        How it ended, once all of that is here.
    """

    def __init__(self, home: RunHome, plan: RunPlan, versions: RunVersions) -> None:
        self._home, self._plan, self._versions = home, plan, versions
        self.ended: RunEnd | None = home.ended()
        self.heard = self.ended is not None
        self._told: dict[str, float] = {}

    def close(self) -> bool:
        """Lay the run's folder open as it ended, where all of it is here; whether that is so.

        Raises
        ------
        OSError, LocalFailureError
            It can't be written, or what is stored is damaged; it may be tried again.
        """
        stored = self._versions.stored
        if self.ended is None and self.heard and stored.ended is not None:
            if stored.manifest.files and not self._home.final.exists():
                self._lay_open(stored.ended)
            self._home.note_end(stored.ended)
            self.ended = stored.ended
            shutil.rmtree(self._home.work, ignore_errors=True)
        return self.ended is not None

    def may_tell(self, name: str, now: float) -> bool:
        """Whether somebody who seems not to know is told now; not all the time."""
        due = now - self._told.get(name, -self._plan.lease_s) >= self._plan.lease_s
        if due:
            self._told[name] = now
        return due

    def _lay_open(self, ended: RunEnd) -> None:
        fresh = self._home.final.with_name(".final")
        shutil.rmtree(fresh, ignore_errors=True)
        self._versions.replica.restore(fresh)
        if is_run(fresh):
            forget_machine(fresh)
            if ended.status != COMPLETED:
                close_run(fresh, ended.reason or ended.status)
        fresh.rename(self._home.final)
