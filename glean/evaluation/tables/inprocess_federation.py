"""Federations in this process that leave nothing behind, for measurements beside a run."""

from __future__ import annotations

import logging
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from glean.federation.grids.inprocess import BakeryApp, InProcessGrid, as_server
from glean.federation.server.setup import negotiate_spec, register_clients, training_loop
from glean.federation.server.training_loop import TrainingLoop
from glean.runs.folder import RunFolder
from glean.settings import RunSettings

LOG = logging.getLogger("glean")

_LARGEST_RUN_ID = 2**62


@contextmanager
def inprocess_federation(
    settings: RunSettings, nodes: Sequence[int], newcomers: Sequence[str], client_app: BakeryApp
) -> Iterator[TrainingLoop]:
    """Let bakeries meet, and give the rounds that can be run with them.

    Parameters
    ----------
    settings : RunSettings
        The federation's.
    nodes : sequence of int
        Places of its bakeries among all.
    newcomers : sequence of str
        Names of bakeries that are cut to a short history, where they take part.
    client_app : BakeryApp
        The app that plays the bakeries.
    """
    config = settings.to_config()
    run_id = secrets.randbelow(_LARGEST_RUN_ID)
    grid = InProcessGrid(client_app, [{"partition-id": n} for n in nodes], config, run_id=run_id)
    scratch_folder = tempfile.TemporaryDirectory(prefix="glean-federation-")
    with scratch_folder as scratch, as_server(grid), _without_warnings():
        folder = RunFolder.create(Path(scratch), run_id=run_id, lasting=False)
        clients, bakeries, cut = register_clients(grid, settings, folder, newcomers=newcomers)
        spec = negotiate_spec(bakeries, cut, settings)
        yield training_loop(clients, settings, spec, bakeries, cut)


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Keep quiet of what happens in rounds that are nobody's run."""
    before = LOG.level
    LOG.setLevel(logging.ERROR)
    try:
        yield
    finally:
        LOG.setLevel(before)
