"""The end of a run that couldn't say itself how it ended, said in its folder by somebody else."""

from __future__ import annotations

from pathlib import Path

from glean.errors import GleanError
from glean.runs.events import RunFinished
from glean.runs.folder import RunFolder, discard_reserve, utc_now
from glean.runs.index import COMPLETED, FAILED, RUNNING, StoredRun, read_run


def close_run(folder: Path, reason: str, *, knows_better: bool = False) -> None:
    """Say in a run's folder that it failed, unless it says how it ended.

    Parameters
    ----------
    folder : Path
        The run's folder. Nothing may write there any more.
    reason : str
        Why it failed.
    knows_better : bool
        Whether the reason also takes the place of one that stands there; a run that completed
        stays completed.

    Raises
    ------
    OSError
        Nothing can be written there.
    """
    try:
        run = read_run(folder)
    except GleanError:
        run = StoredRun(folder, {})
    goes_on = run.status in (RUNNING, "") or run.gone
    if run.status == COMPLETED or not (goes_on or knows_better):
        return
    discard_reserve(folder)
    ended = {"status": FAILED, "reason": reason}
    if goes_on:
        ended["end"] = utc_now()
    RunFolder(folder).write_run({**run.facts, **ended})
    if goes_on:
        RunFolder(folder).append_event(RunFinished(FAILED, reason))


def forget_machine(folder: Path) -> None:
    """Have a copy of a run's folder say nothing of the machine that it was written on.

    Neither of a process, which may be at work under the same number here, nor of the folder of an
    earlier run: what was of use there has been taken over.

    Raises
    ------
    GleanError
        It isn't a run's folder.
    OSError
        Nothing can be written there.
    """
    facts = {**read_run(folder).facts}
    facts.pop("process", None)
    facts.pop("resumed_from", None)
    RunFolder(folder).write_run(facts)
