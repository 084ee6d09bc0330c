"""What an audit of a finished simulation is: the seam at which a workload brings its attacks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, cast

from glean.errors import GleanError
from glean.federation.grids.inprocess import BakeryApp
from glean.federation.workload.registry import load
from glean.languages.language import Language
from glean.runs.index import COMPLETED, StoredRun
from glean.settings import RunSettings
from glean.workloads import DEFAULT_WORKLOAD, WORKLOADS

Said = Callable[[str], None]


@dataclass(frozen=True)
class AuditPages:
    """What an audit found, as it is written.

    Parameters
    ----------
    page : str
        HTML.
    figures : str
        JSON.
    gist : tuple of str
        What it comes to, in sentences.
    pictures : mapping of str to bytes
        PNG files by name.
    """

    page: str
    figures: str
    gist: tuple[str, ...]
    pictures: Mapping[str, bytes] = field(default_factory=dict)


class RunAudit(Protocol):
    """Attacks on what a simulation's server received, of one workload."""

    def check(self, stored: StoredRun) -> RunSettings:
        """Give the settings of a run that can be attacked.

        Raises
        ------
        GleanError
            It can't be; says why, and what can.
        """

    def attacked(
        self, stored: StoredRun, client_app: BakeryApp, said: Said, language: Language
    ) -> AuditPages:
        """Attack a run that was checked.

        Parameters
        ----------
        stored : StoredRun
            The run.
        client_app : BakeryApp
            What plays the clients, in this process.
        said : callable
            Told what is done next.
        language : Language
            Of the page and the gist.

        Raises
        ------
        GleanError
            The run can't be repeated with what is there.
        """


def audit_of(stored: StoredRun) -> RunAudit:
    """Give the attacks on a run of a workload.

    Raises
    ------
    GleanError
        There are none.
    """
    name = str(stored.settings.get("workload", DEFAULT_WORKLOAD))
    row = WORKLOADS.get(name)
    if row is None or not row.audit:
        known = ", ".join(key for key, one in WORKLOADS.items() if one.audit)
        raise GleanError(
            f"{stored.folder}: found a run of the workload {name}; there are attacks on {known}"
        )
    return cast("RunAudit", load(row.audit))


def check_repeatable(stored: StoredRun) -> None:
    """Refuse a run whose training can't be made again from its settings.

    Raises
    ------
    GleanError
        Says why, and what can.
    """
    for wrong, check in _CHECKS:
        if check(stored):
            raise GleanError(f"{stored.folder}: {wrong(stored)}")


_CHECKS: tuple[tuple[Callable[[StoredRun], str], Callable[[StoredRun], bool]], ...] = (
    (
        lambda run: (
            f"found a run that is {run.status or 'without a status'}"
            f"{f' ({run.reason})' if run.reason else ''}; wanted one that has completed"
        ),
        lambda run: run.status != COMPLETED,
    ),
    (
        lambda _: (
            "found the run of a deployment, whose data isn't here; its messages can't be had "
            "again. Audit a simulation with the same settings and as many members (with "
            "privacy=noise if what they sent carried noise): `glean simulate`, then `glean audit`"
        ),
        lambda run: run.engine == "deployment",
    ),
    (
        lambda run: f"found no number of {run.vocabulary.many} in its run.json; simulate anew",
        lambda run: type(run.facts.get("nodes")) is not int,
    ),
    (
        lambda _: (
            "found a run that went on from another (resume, start-from); wanted one that began "
            "anew: audit the first one"
        ),
        lambda run: bool(run.settings.get("resume") or run.settings.get("start-from")),
    ),
)


@contextmanager
def log_kept_back() -> Iterator[None]:
    """Keep the log of training that is made again from whoever reads of the attacks."""
    log = logging.getLogger("glean")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
