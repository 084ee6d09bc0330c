"""An audit from end to end: what was received, what attacks got out of it, in frozen values."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from glean.audit.evidence import Observed, Said, gathered, whole_run
from glean.audit.finding import Finding
from glean.audit.lone_cells import LoneCells, lone_cells
from glean.audit.membership import MembershipFinding, best_area, membership
from glean.audit.reconstruction import findings
from glean.errors import GleanError
from glean.federation.grids.inprocess import BakeryApp
from glean.federation.wire.noised_parts import budget_of
from glean.federation.workload.run_audit import check_repeatable
from glean.runs.code_version import code_fingerprint
from glean.runs.index import StoredRun, read_run
from glean.settings import RunSettings

_AUDITED = ("bagging", "histogram", "oblivious")


@dataclass(frozen=True)
class Audit:
    """What an audit of a run found.

    Parameters
    ----------
    run : Path
        The run's folder.
    settings : RunSettings
        The run's settings.
    same_model : bool
        Whether the run was repeated to the byte; with noise it can't be.
    victims : tuple of str
        Bakeries that were attacked.
    cells : LoneCells
        How many sums were one bakery's alone.
    findings : tuple of Finding
        The attacks on product-days and totals.
    membership : MembershipFinding or None
        The attack on days; None where nothing was summed by leaf.
    """

    run: Path
    settings: RunSettings
    same_model: bool
    victims: tuple[str, ...]
    cells: LoneCells
    findings: tuple[Finding, ...]
    membership: MembershipFinding | None

    @property
    def best_area(self) -> float:
        """Area under the ROC curve that the run's epsilon promises no attack exceeds; 1 without."""
        noised = self.settings.noise.wanted
        return best_area(budget_of(self.settings).mu) if noised else 1.0

    def to_json(self) -> str:
        """Write all figures."""
        found: dict[str, Any] = {
            "run": self.run.name,
            "code": code_fingerprint(),
            "privacy": "noise" if self.settings.noise.wanted else "sums",
            "same_model": self.same_model,
            "attacked": list(self.victims),
            "cells": asdict(self.cells),
            "findings": [
                asdict(one)
                | {
                    "interval": one.interval,
                    "chance_interval": one.chance_interval,
                    "more_than_chance": one.significant,
                }
                for one in self.findings
            ],
        }
        if self.membership is not None:
            found["membership"] = asdict(self.membership) | {"best_area": self.best_area}
        return json.dumps(found, indent=1)


def audit_run(folder: Path, client_app: BakeryApp, said: Said) -> Audit:
    """Attack a simulation that has finished.

    Parameters
    ----------
    folder : Path
        The run's folder.
    client_app : BakeryApp
        What plays the bakeries, in this process.
    said : callable
        Told what is done next.

    Raises
    ------
    GleanError
        The run can't be audited, or can't be repeated with what is there.
    """
    stored = read_run(folder)
    settings = auditable(stored)
    newcomers = tuple(stored.facts.get("newcomers") or ())
    said("the run once more, with all messages kept")
    whole = whole_run(settings, int(stored.facts["nodes"]), client_app, newcomers=newcomers)
    same = _same_model(stored, whole)
    evidence = gathered(whole, client_app, newcomers=newcomers, said=said)
    bakeries = list(evidence.bakeries.values())
    said("sums that are one bakery's alone")
    cells = lone_cells(whole, bakeries)
    said("reconstruction")
    found = tuple(findings(evidence))
    days = None
    if whole.leaves:
        said("membership of days")
        victims = [evidence.bakeries[name] for name in evidence.victims]
        days = membership(
            whole.leaves, whole.member, victims, settings, senders=len(whole.rerun.names)
        )
    return Audit(folder, settings, same, evidence.victims, cells, found, days)


def auditable(stored: StoredRun) -> RunSettings:
    """Give the settings of a run that can be audited.

    Raises
    ------
    GleanError
        It can't be; says why, and what can.
    """
    check_repeatable(stored)
    settings = RunSettings.from_config(stored.settings)
    kind = settings.rounds.kind
    if kind.name not in _AUDITED or not kind.sums:
        raise GleanError(
            f"{stored.folder}: found aggregation={kind.name} with "
            f"leaf-values={settings.rounds.leaf_values}, of which no trees are summed; wanted "
            f"{', '.join(_AUDITED)} (bagging with leaf-values=refit)"
        )
    if settings.boosting.objective != "reg:squarederror":
        raise GleanError(
            f"{stored.folder}: found objective={settings.boosting.objective}; the attacks know "
            "the sums of reg:squarederror"
        )
    return settings


def _same_model(stored: StoredRun, whole: Observed) -> bool:
    """Compare the repeated run's model with the one in the folder.

    Raises
    ------
    GleanError
        They should be equal and aren't: then the attacks would be on another run's messages.
    """
    if whole.settings.noise.wanted:
        return False
    path = stored.folder / f"model{whole.rerun.model.suffix}"
    if path.is_file() and path.read_bytes() == whole.rerun.model.to_bytes():
        return True
    if not path.is_file():
        found = f"found no {path.name}"
    elif stored.facts.get("code") != code_fingerprint():
        found = (
            f"found a model that another version of Glean made ({stored.facts.get('code')}; this "
            f"is {code_fingerprint()})"
        )
    else:
        found = "found another model than the same settings give now: the table has changed since"
    raise GleanError(f"{stored.folder}: {found}; simulate anew and audit that run")
