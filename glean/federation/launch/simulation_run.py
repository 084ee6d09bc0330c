"""One simulation on this machine, on Ray through Flower's SuperLink or in this process."""

from __future__ import annotations

import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp

from glean.errors import FederationError, GleanError
from glean.federation.grids.answers_apart import AnswersApart
from glean.federation.grids.inprocess import InProcessGrid, run_inprocess
from glean.federation.launch.flower_app import app_config, copy_app
from glean.federation.launch.superlink import SuperLink, local_superlink
from glean.federation.wire.flower_errors import causes
from glean.runs.cut_off import close_run
from glean.runs.events import RunFinished
from glean.runs.folder import known_events, reason_of
from glean.runs.index import find_run, read_run
from glean.settings import ConfigValue

POLL_S = 0.2
FIRST_LOOK_S, LOOK_EVERY_S = 8.0, 2.0
"""When and how often it is looked whether Flower still works on the run."""

LARGEST_RUN_ID = 2**62
_LONGEST_ROOT = 16
_TMP = Path("/tmp")  # noqa: S108 # nosec B108 # must be short; what is made in it has a name of its own


@dataclass(frozen=True)
class Simulation:
    """What shall be run.

    Parameters
    ----------
    bakeries : int
        Number of nodes.
    overrides : mapping
        Run config that differs from the app's.
    results : Path
        Absolute folder for run folders.
    profile : mapping
        Resources for Ray, Flower's flat keys.
    """

    bakeries: int
    overrides: Mapping[str, ConfigValue]
    results: Path
    profile: Mapping[str, ConfigValue] = field(default_factory=dict)

    @property
    def run_config(self) -> dict[str, ConfigValue]:
        """The whole run config, without a check."""
        return {**app_config(), **self._own()}

    def _own(self) -> dict[str, ConfigValue]:
        return {**self.overrides, "output-dir": str(self.results)}

    def in_process(
        self,
        started: Callable[[int], None],
        *,
        server_app: ServerApp,
        client_app: ClientApp,
        apart: AnswersApart | None = None,
    ) -> Path:
        """Run in this process.

        Parameters
        ----------
        started : callable
            Told the id of the run once it is known.
        server_app, client_app : ServerApp, ClientApp
            The apps.
        apart : AnswersApart, optional
            Which messages other processes answer; by default none.

        Returns
        -------
        Path
            The run's folder, whether it succeeded or not (see `outcome`).
        """
        run_id = secrets.randbelow(LARGEST_RUN_ID)
        nodes = [{"partition-id": k, "num-partitions": self.bakeries} for k in range(self.bakeries)]
        grid = InProcessGrid(client_app, nodes, self.run_config, run_id=run_id, apart=apart)
        started(run_id)
        try:
            run_inprocess(server_app, grid, self.run_config)
        except Exception as error:
            if not says_how_it_ended(find_run(self.results, run_id)):
                raise FederationError(reason_of(error)) from error
        return folder_of_run(self.results, run_id)

    def on_ray(self, started: Callable[[int], None]) -> Path:
        """Run through a SuperLink of its own, on Ray; as `in_process` otherwise.

        Raises
        ------
        FederationError
            The SuperLink or the run couldn't be started, or ended without a word.
        """
        with tempfile.TemporaryDirectory(prefix="glean-", dir=_scratch_root()) as scratch:
            with local_superlink(Path(scratch) / "flwr") as superlink:
                try:
                    run_id = superlink.cli.submit(
                        copy_app(Path(scratch)),
                        run_config=self._own(),
                        profile={**_RESOURCES, **self.profile, "num-supernodes": self.bakeries},
                    )
                    started(run_id)
                    _wait(self.results, run_id, superlink)
                except BaseException as error:
                    self._cut_off(superlink, reason=reason_of(error))
                    raise
            return folder_of_run(self.results, run_id)

    def _cut_off(self, superlink: SuperLink, *, reason: str) -> None:
        """End the SuperLink; leave its log and the truth in the folder of the run, if it has one.

        Ended first, so that the ServerApp can't write over what is written here.
        """
        run_id = superlink.started_run()
        superlink.end()
        folder = find_run(self.results, run_id) if run_id is not None else None
        if folder is not None:
            # On a disk that is full the reason still reaches the terminal.
            with suppress(OSError):
                close_run(folder, reason)
            with suppress(OSError):
                shutil.copy(superlink.log, folder / "superlink.log")


_RESOURCES: dict[str, ConfigValue] = {"client-resources-num-cpus": 1}


def _scratch_root() -> str:
    """Folder for what Flower and Ray write: Ray's sockets lie 86 characters below, of 103."""
    usual = tempfile.gettempdir()
    return usual if len(usual) <= _LONGEST_ROOT or not _TMP.is_dir() else str(_TMP)


def says_how_it_ended(folder: Path | None) -> bool:
    """Whether a run's folder says that it completed or failed."""
    try:
        return folder is not None and read_run(folder).status not in ("running", "")
    except GleanError:
        return False


def folder_of_run(results: Path, run_id: int) -> Path:
    """Find the folder of a run that has ended.

    Raises
    ------
    FederationError
        It left none.
    """
    folder = find_run(results, run_id)
    if folder is None:
        raise FederationError(f"the run left no folder in {results}")
    return folder


def _wait(results: Path, run_id: int, superlink: SuperLink) -> None:
    """Wait until the run says that it has finished, or Flower says that it's over.

    Flower says so too where the ServerApp never came to write a word.
    """
    look_at = time.monotonic() + FIRST_LOOK_S
    orphaned = 0
    while not _finished(results, run_id):
        if time.monotonic() >= look_at:
            if not superlink.alive():
                raise FederationError(f"the SuperLink died; its log ends:\n{_end(superlink.log)}")
            # Of a ServerApp that was killed Flower learns after a minute only.
            began = find_run(results, run_id) is not None
            orphaned = orphaned + 1 if began and not superlink.carries_a_run() else 0
            if orphaned > 1:
                break
            if superlink.seems_done() and superlink.cli.status(run_id).startswith("finished"):
                break
            look_at = time.monotonic() + LOOK_EVERY_S
        time.sleep(POLL_S)
    if not _finished(results, run_id):
        raise FederationError(
            "Flower ended the run before it finished: " + _why(superlink.cli.log(run_id))
        )


def _why(log: str) -> str:
    """Name the errors in a log; its end where there are none."""
    return "\n".join(causes(log)) or f"its log ends:\n{log[-2000:]}"


def _finished(results: Path, run_id: int) -> bool:
    folder = find_run(results, run_id)
    last = known_events(folder / "events.jsonl")[-1:] if folder else []
    return any(isinstance(event, RunFinished) for event in last)


def _end(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")[-2000:]
