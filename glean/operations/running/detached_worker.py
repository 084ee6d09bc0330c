"""The process that `detached_run` starts: it runs what a request asks for and says how it went."""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from glean.errors import FederationError, GleanError
from glean.federation.launch.deployment_run import RunOutcome
from glean.operations.running.attempts import RESUME
from glean.operations.running.detached_run import (
    ERROR,
    RUN_ID,
    SUMMARY,
    claim,
    read_detached,
)
from glean.operations.running.run_request import RunRequest, prepare_request
from glean.operations.running.simulation import PreparedSimulation, run_simulation
from glean.operations.running.superlink_run import (
    PreparedDeployment,
    run_deployment,
    stop_deployment,
)
from glean.operations.signals import raised_as_interrupts
from glean.runs.folder import INTERRUPTED, write_whole
from glean.runs.process_tree import this_process

LOG = logging.getLogger("glean")


def main(folder: Path) -> int:
    """Run what the request in a folder asks for; the exit code is 0 where it ran to an end."""
    if not claim(folder, this_process()):
        return 0
    try:
        with raised_as_interrupts():
            _run(RunRequest.read(folder), folder)
    except GleanError as error:
        write_whole(folder / ERROR, str(error).encode())
        return 1
    except KeyboardInterrupt:
        write_whole(folder / ERROR, INTERRUPTED.encode())
        return 1
    return 0


def _run(request: RunRequest, folder: Path) -> None:
    def started(run_id: int) -> None:
        write_whole(folder / RUN_ID, str(run_id).encode())

    prepared = _prepare(request, folder)
    if isinstance(prepared, PreparedDeployment):
        _run_there(prepared, folder, started)
    else:
        run_simulation(prepared, started)


def _prepare(request: RunRequest, folder: Path) -> PreparedSimulation | PreparedDeployment:
    """Prepare what a request asks for, going on with an earlier attempt where that can be."""
    try:
        before = (folder / RESUME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return prepare_request(request)
    try:
        return prepare_request(replace(request, settings={"resume": before}, bakeries=None))
    except GleanError as error:
        LOG.warning("%s; this attempt begins anew", error)
        return prepare_request(request)


def _run_there(prepared: PreparedDeployment, folder: Path, started: Callable[[int], None]) -> None:
    """Run on a deployment; what is known of its end stays here, as its folder may lie elsewhere."""
    outcome = RunOutcome()
    with tempfile.TemporaryDirectory(prefix="glean-") as scratch:
        try:
            run_deployment(prepared, Path(scratch), started=started, say=print, outcome=outcome)
        except KeyboardInterrupt:
            run_id = read_detached(folder).run_id
            if run_id is not None:
                stop_deployment(prepared.connection, run_id, Path(scratch), prepared.home)
            raise
    if outcome.reason:
        raise FederationError(outcome.reason)
    write_whole(folder / SUMMARY, outcome.summary.encode())


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
