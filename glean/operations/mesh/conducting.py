"""The ServerApp of a run on a mesh, in the process of the peer that coordinates the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from glean.federation.grids.carrier import Carrier, ReceivedReply
from glean.federation.grids.run_announcement import RunAnnouncement
from glean.federation.grids.turns import TurnLock, TurnTakingCarrier
from glean.federation.launch.run_carried import run_on_carrier
from glean.federation.server.interrupted_run import resumed_config
from glean.mesh.runs.run_errors import LeaseLostError, LocalFailureError
from glean.mesh.runs.run_plan import RunPlan
from glean.regular_files import words_of
from glean.runs.code_version import code_fingerprint
from glean.runs.folder import RunFolder
from glean.runs.index import COMPLETED, FAILED, find_run, read_run
from glean.settings import ConfigValue

HANDED_OVER = "another peer of the mesh coordinates the run"


class CoordinatedRun(Carrier, Protocol):
    """What carries a run's messages at its coordinator, see `mesh/runs/run_carrier.py`."""

    @property
    def plan(self) -> RunPlan:
        """What is to be trained."""

    @property
    def results(self) -> Path:
        """Folder for run folders."""

    @property
    def resume(self) -> Path | None:
        """Folder of the run as the coordinators before left it, if one did."""

    def began(self, folder: Path) -> None:
        """Say which folder the run has: from now on its changes are kept by all first."""


def conduct(carrier: CoordinatedRun, turn: TurnLock) -> Path:
    """Run the ServerApp in this thread, from where the coordinator before left the run.

    Parameters
    ----------
    carrier : CoordinatedRun
        What carries the run's messages; it isn't closed.
    turn : TurnLock
        What this process's own client has while it answers.

    Returns
    -------
    Path
        The run's folder, once it has ended for all: completed or failed.

    Raises
    ------
    LeaseLostError
        Another peer coordinates the run, or may.
    LocalFailureError
        This machine can't conduct the run; another one may be able to.
    """
    from glean.server_app import app

    try:
        config = _config(carrier)
        with turn:
            taking_turns = TurnTakingCarrier(_Began(carrier), turn)
            return run_on_carrier(app, taking_turns, config, goes_on=_is_local)
    except LeaseLostError:
        raise
    except Exception as error:
        local = _local_cause(error)
        if local is None:
            raise
        what = words_of(local) if isinstance(local, OSError) else f"{local}" or "no memory"
        raise LocalFailureError(f"this machine can't coordinate the run: {what}") from error


def _config(carrier: CoordinatedRun) -> dict[str, ConfigValue]:
    plan, own = carrier.plan, code_fingerprint()
    if plan.code != own:
        raise LocalFailureError(
            f"found a run of other code of Glean ({plan.release}, {plan.code}); wanted {own}, "
            "which is installed here. Install the Glean that the others have, and start this peer "
            "anew"
        )
    config = {**plan.run_config, "output-dir": str(carrier.results)}
    if carrier.resume is None:
        return config
    _close(carrier.resume)
    return resumed_config(carrier.resume, {"output-dir": str(carrier.results)})


def _close(folder: Path) -> None:
    """Let a run's folder say that nobody works there, and nothing of another machine's folders."""
    facts = read_run(folder).facts
    ended = {} if facts.get("status") == COMPLETED else {"status": FAILED, "reason": HANDED_OVER}
    RunFolder(folder).write_run({**facts, **ended, "resumed_from": ""})


def _is_local(error: Exception) -> bool:
    """Whether an error is no end of the run: it concerns this peer alone."""
    return isinstance(error, LeaseLostError) or _local_cause(error) is not None


def _local_cause(error: BaseException | None) -> BaseException | None:
    """Find what in an error's causes concerns this machine: its disk, its memory, its files."""
    while error is not None and not isinstance(error, OSError | MemoryError | LocalFailureError):
        error = error.__cause__
    return error


class _Began:
    """A run's carrier that is told of the run's folder before the first message leaves."""

    def __init__(self, carrier: CoordinatedRun) -> None:
        self._carrier = carrier
        self._run_id: int | None = None
        self._folder: Path | None = None

    @property
    def engine(self) -> str:
        return self._carrier.engine

    def announce(self, run: bytes) -> None:
        self._run_id = RunAnnouncement.from_bytes(run).run_id
        self._carrier.announce(run)

    def present(self) -> list[str]:
        return self._carrier.present()

    def send(self, node: str, message_id: str, body: bytes) -> None:
        self._look()
        self._carrier.send(node, message_id, body)

    def receive(self, timeout_s: float) -> Sequence[ReceivedReply]:
        return self._carrier.receive(timeout_s)

    def end(self, reason: str) -> None:
        self._look()
        self._carrier.end(reason)

    def close(self) -> None:
        self._carrier.close()

    def _look(self) -> None:
        if self._folder is None and self._run_id is not None:
            self._folder = find_run(self._carrier.results, self._run_id)
            if self._folder is not None:
                self._carrier.began(self._folder)
