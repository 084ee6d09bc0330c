"""The audit of a finished simulation: the attacks made, and their page and figures written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from glean.audit.audit_page import audit_page, gist_of
from glean.audit.evidence import Said
from glean.audit.report import audit_run, auditable
from glean.federation.workload.registry import workload_of
from glean.runs.folder import write_whole
from glean.runs.index import read_run

PAGE, FIGURES = "audit.html", "audit.json"


@dataclass(frozen=True)
class WrittenAudit:
    """An audit that was written.

    Parameters
    ----------
    page, figures : Path
        The files.
    gist : tuple of str
        What it comes to.
    """

    page: Path
    figures: Path
    gist: tuple[str, ...]


def write_audit(folder: Path, said: Said) -> WrittenAudit:
    """Attack a finished simulation, and write `audit.html` and `audit.json` into its folder.

    Parameters
    ----------
    folder : Path
        The run's folder.
    said : callable
        Told what is done next.

    Raises
    ------
    GleanError
        The folder is no run's, the run can't be audited, or its table isn't there any more.
    """
    stored = read_run(folder)
    settings = auditable(stored)
    workload_of(settings).count_clients(settings, int(stored.facts["nodes"]))
    from glean.client_app import app as client_app

    audit = audit_run(folder, client_app, said)
    page, figures = folder / PAGE, folder / FIGURES
    write_whole(figures, f"{audit.to_json()}\n".encode())
    write_whole(page, audit_page(audit).encode())
    return WrittenAudit(page, figures, tuple(gist_of(audit)))
