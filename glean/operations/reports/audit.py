"""The audit of a finished simulation: the attacks made, and their page and figures written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from glean.federation.workload.registry import workload_of
from glean.federation.workload.run_audit import Said, audit_of
from glean.languages.language import ENGLISH, Language
from glean.runs.folder import write_whole
from glean.runs.index import read_run

PAGE, FIGURES, PICTURES = "audit.html", "audit.json", "figures"


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


def write_audit(folder: Path, said: Said, language: Language = ENGLISH) -> WrittenAudit:
    """Attack a finished simulation, and write `audit.html` and `audit.json` into its folder.

    Parameters
    ----------
    folder : Path
        The run's folder.
    said : callable
        Told what is done next.
    language : Language
        Of the page and the gist.

    Raises
    ------
    GleanError
        The folder is no run's, the run can't be audited, or its data isn't there any more.
    """
    stored = read_run(folder)
    audit = audit_of(stored)
    settings = audit.check(stored)
    workload_of(settings).count_clients(settings, int(stored.facts["nodes"]))
    from glean.client_app import app as client_app

    found = audit.attacked(stored, client_app, said, language)
    page, figures = folder / PAGE, folder / FIGURES
    write_whole(figures, f"{found.figures}\n".encode())
    if found.pictures:
        (folder / PICTURES).mkdir(exist_ok=True)
    for name, content in found.pictures.items():
        write_whole(folder / PICTURES / name, content)
    write_whole(page, found.page.encode())
    return WrittenAudit(page, figures, found.gist)
