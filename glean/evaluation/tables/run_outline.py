"""What every run left behind, whatever its workload: how it went, round by round."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from glean.runs.events import BakeryFailed, BakeryNotTrained, RunStarted
from glean.runs.folder import known_events
from glean.runs.index import StoredRun, read_run
from glean.runs.participation import Participation, read_participation
from glean.runs.results import Columns, read_table
from glean.runs.setback_events import Setback


@dataclass(frozen=True)
class RunOutline:
    """How a run went; None stands for a file that isn't there.

    Parameters
    ----------
    run : StoredRun
        The run folder, and its `run.json`.
    failures : tuple of BakeryFailed
        Replies of clients that were missing or refused.
    left_out : tuple of BakeryNotTrained
        Clients that are scored, but not trained on.
    given_up : tuple of Setback
        Sums that were lost or refused, trees that were grown anew, rounds that don't count.
    rounds, bakery_rounds : DataFrame or None
        `rounds.csv`, `bakery_rounds.csv`.
    participation : Participation or None
        Who was in which rounds, where not all were in each.
    caution : str
        What the run said before it began of so few clients; "" where nothing.
    """

    run: StoredRun
    failures: tuple[BakeryFailed, ...] = ()
    left_out: tuple[BakeryNotTrained, ...] = ()
    given_up: tuple[Setback, ...] = ()
    rounds: pd.DataFrame | None = None
    bakery_rounds: pd.DataFrame | None = None
    participation: Participation | None = None
    caution: str = ""


def read_outline(folder: Path, *, metric: str) -> RunOutline:
    """Read how a run went.

    Parameters
    ----------
    folder : Path
        The run's folder.
    metric : str
        The workload's primary metric, a column of the tables by round.

    Raises
    ------
    GleanError
        The folder or its `run.json` is missing, or a file is damaged or lacks a column.
    """
    run = read_run(folder)
    events = known_events(folder / "events.jsonl")
    clients = Columns(("round", "bakery", metric), ("bakery",))
    left_out = tuple(e for e in events if isinstance(e, BakeryNotTrained))
    return RunOutline(
        run=run,
        failures=tuple(e for e in events if isinstance(e, BakeryFailed)),
        left_out=left_out,
        given_up=tuple(e for e in events if isinstance(e, Setback)),
        rounds=read_table(folder / "rounds.csv", Columns(("round", metric), ())),
        bakery_rounds=read_table(folder / "bakery_rounds.csv", clients),
        participation=read_participation(folder, _learners(run, left_out)),
        caution=next((e.caution or "" for e in events if isinstance(e, RunStarted)), ""),
    )


def _learners(run: StoredRun, left_out: tuple[BakeryNotTrained, ...]) -> list[str]:
    """Name those that could be in rounds: all but those that aren't learned from."""
    names = run.facts.get("bakeries")
    known = [str(name) for name in names] if isinstance(names, list) else []
    return [name for name in known if name not in {event.bakery for event in left_out}]
