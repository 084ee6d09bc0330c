"""A simulation's training run again in this process, with everything that travelled kept.

A run's folder holds no messages. With the same settings the same bakeries send the same numbers
again, so the model has the same bytes; only masks, and noise where there is some, are drawn anew.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from glean.federation.coordination.cohort_memory import FILE as COHORTS_FILE
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.coordination.groups import FILE as GROUPS_FILE
from glean.federation.grids.inprocess import SERVER_NODE, BakeryApp, as_server
from glean.federation.grids.recording import Exchange, RecordingGrid
from glean.federation.server.kept_leaves import FILE as LEAVES_FILE
from glean.federation.server.setup import negotiate_spec, register_clients, training_loop
from glean.federation.server.training_state import TrainingState
from glean.federation.workload.run_audit import log_kept_back
from glean.learning.learning_rates import learning_rate_of
from glean.runs.folder import RunFolder
from glean.settings import RunSettings

FIRST_NODE = SERVER_NODE + 1
"""The node of the first partition that is there."""

_LARGEST_RUN_ID = 2**62


@dataclass(frozen=True)
class Rerun:
    """What a training left.

    Parameters
    ----------
    exchanges : tuple of Exchange
        All messages with their replies, in order.
    model : GlobalModel
        The model of the best round.
    spec : str
        The feature definition that was agreed on.
    names : dict of int to str
        The bakery that a partition plays.
    opened : dict of str to bytes
        Files of the run's folder that say of whom what was opened, by name.
    """

    exchanges: tuple[Exchange, ...]
    model: GlobalModel
    spec: str
    names: dict[int, str]
    opened: dict[str, bytes]


def run_again(
    settings: RunSettings,
    partitions: Sequence[int],
    client_app: BakeryApp,
    *,
    newcomers: Sequence[str],
    leaves: Mapping[int, int] | None = None,
    start: TrainingState | None = None,
    opened: Mapping[str, bytes] | None = None,
) -> Rerun:
    """Train with some of a simulation's bakeries, and keep what travelled.

    Parameters
    ----------
    settings : RunSettings
        The run's.
    partitions : sequence of int
        Bakeries that are there.
    client_app : BakeryApp
        What plays them.
    newcomers : sequence of str
        Who was cut to a short history in the run.
    leaves : mapping of int to int, optional
        Partitions that go for good, and the first round without them.
    start : TrainingState, optional
        Where an interrupted run was, to go on from there.
    opened : mapping of str to bytes, optional
        What its folder says of whom what was opened.

    Raises
    ------
    FederationError
        No training came of it.
    """
    config = settings.to_config()
    run_id = secrets.randbelow(_LARGEST_RUN_ID)
    gone = {partitions.index(k) + FIRST_NODE: number for k, number in (leaves or {}).items()}
    grid = RecordingGrid(
        client_app,
        [{"partition-id": partition} for partition in partitions],
        config,
        run_id=run_id,
        leaves=gone,
    )
    scratched = tempfile.TemporaryDirectory(prefix="glean-audit-")
    with scratched as scratch, as_server(grid), log_kept_back():
        folder = RunFolder.create(Path(scratch), run_id=run_id)
        for name, content in (opened or {}).items():
            folder.write_bytes(name, content)
        clients, infos, cut = register_clients(grid, settings, folder, newcomers=newcomers)
        spec = negotiate_spec(infos, cut, settings)
        result = training_loop(clients, settings, spec, infos, cut).run(start)
        left = _opened_files(folder.path)
    names = {info.partition: name for name, info in infos.items()}
    return Rerun(tuple(grid.exchanges), result.model, spec, names, left)


def _opened_files(folder: Path) -> dict[str, bytes]:
    paths = (folder / name for name in (COHORTS_FILE, LEAVES_FILE, GROUPS_FILE))
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def shortened(settings: RunSettings, rounds: int) -> RunSettings:
    """Keep the settings of the first rounds of a run, the step size among them.

    Parameters
    ----------
    settings : RunSettings
        The run's.
    rounds : int
        How many rounds are wanted.
    """
    kept = min(rounds, settings.rounds.num_server_rounds)
    rate = learning_rate_of(settings.rounds)
    return replace(
        settings,
        rounds=replace(settings.rounds, num_server_rounds=kept, learning_rate=rate),
    )
