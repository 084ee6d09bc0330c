"""A run on a deployment that was cut off from outside, and what it takes to go on with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from glean.errors import FederationError
from glean.federation.launch.connections import find_connection
from glean.federation.launch.deployment_run import STOPPED, WITHOUT_A_WORD, RunOutcome
from glean.federation.launch.parent_watch import ORPHANED
from glean.federation.launch.reachability import check_reachable
from glean.federation.server.interrupted_run import MAY_DIFFER
from glean.operations.running.run_config import deployment_overrides
from glean.runs.cut_off import close_run
from glean.runs.index import read_run
from glean.runs.process_tree import still_runs
from glean.settings import ConfigValue

MOST_RESUMES = 10
"""How often a run goes on by itself: one that is cut off again and again has another fault."""

PROCESS_LIMIT_S = 60.0
"""How long the process of a run whose SuperLink has gone may take to end."""

SUPERLINK_LIMIT_S = 1800.0
"""How long a SuperLink may take to come back, as when its machine starts anew."""

POLL_S = 2.0

GOES_ON = "cut off from outside; another run goes on from here by itself"
"""Why such a run has ended."""


def cut_off_folder(outcome: RunOutcome, run_id: int, lost: FederationError | None) -> Path | None:
    """Give the folder of a run that was cut off from outside; None where it wasn't or isn't here.

    Parameters
    ----------
    outcome : RunOutcome
        What is known of its end.
    run_id : int
        The run.
    lost : FederationError or None
        Why it was lost sight of.
    """
    if outcome.completed or outcome.reason == STOPPED:
        return None
    by_itself = outcome.reason and not outcome.reason.startswith((WITHOUT_A_WORD, ORPHANED))
    if by_itself or (lost is None and not outcome.reason):
        return None
    return outcome.here(run_id)


def put_down(folder: Path) -> bool:
    """Wait for the end of a run's process, and say in its folder why it has ended.

    Returns
    -------
    bool
        False where it goes on, and only its log couldn't be followed, or it has completed.
    """
    deadline = time.monotonic() + PROCESS_LIMIT_S
    while still_runs(read_run(folder).facts.get("process")):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    if read_run(folder).status == "completed":
        return False
    close_run(folder, GOES_ON, knows_better=True)
    return True


def await_superlink(connection: str, home: Path | None) -> None:
    """Wait until a SuperLink can be reached again.

    Raises
    ------
    FederationError
        It can't, for a long time.
    """
    deadline = time.monotonic() + SUPERLINK_LIMIT_S
    while True:
        try:
            check_reachable(connection, find_connection(connection, home))
        except FederationError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)
        else:
            return


def going_on(
    folder: Path, overrides: Mapping[str, ConfigValue], say: Callable[[str], None]
) -> Mapping[str, ConfigValue]:
    """Make the run config that goes on with a run: from its checkpoint, or from its beginning.

    Parameters
    ----------
    folder : Path
        The run that was cut off.
    overrides : mapping
        Its run config, as far as it differs from the app's.
    say : callable
        Told from where it goes on.

    Raises
    ------
    GleanError
        It can't be resumed.
    """
    rounds = sorted((folder / "models").glob("round_*"))
    if not rounds:
        say("no round of it had ended: it begins anew")
        return overrides
    say(f"it is resumed from the checkpoint in {folder}")
    kept = {key: overrides[key] for key in MAY_DIFFER if key in overrides and key != "resume"}
    return deployment_overrides({**kept, "resume": str(folder)})
