"""Tables of all bakeries of a simulation, put together of each bakery's part.

Each bakery made its part in the final test, where its models are. Of those that gave none, the
server makes it, which trains their models again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from glean.aggregation.error_histogram import ErrorDistribution
from glean.evaluation.tables.client_tables import client_model_of, tables_of_client, to_texts
from glean.features.bakery_rows import BakeryRows, bakery_rows_of
from glean.node_settings import NodeSettings
from glean.process_pool import Job, shared_out
from glean.settings import RunSettings

FEWEST_BAKERIES = 8
"""For each process: it takes as long to start as these take."""


def simulated_tables(
    bakeries: Sequence[BakeryRows],
    newcomers: frozenset[str],
    model: bytes,
    *,
    learning_rate: float,
    errors: ErrorDistribution | None,
    workers: int,
    found: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, bytes]:
    """Give single days, plans, coverage and choices of all bakeries.

    Parameters
    ----------
    bakeries : sequence of BakeryRows
        All bakeries of the simulation.
    newcomers : frozenset of str
        Names of those that play newcomers.
    model : bytes
        The federation's final model.
    learning_rate : float
        The federation's.
    errors : ErrorDistribution or None
        How far the model is off at other bakeries, where that is known.
    workers : int
        How many processes share what is missing; the bytes are the same at any number.
    found : mapping of str to mapping of str to str, optional
        Bakery -> file -> its part, as far as bakeries gave them; by default none.

    Returns
    -------
    dict of str to bytes
        Files of a run's folder.
    """
    parts = dict(found or {})
    jobs = []
    for each in bakeries:
        name = each.name
        if name not in parts:
            told = (each.node, each.settings, name in newcomers, model, learning_rate, errors)
            jobs.append(Job(name, _tables, told))
    for place, made in shared_out(jobs, workers=min(workers, max(1, len(jobs) // FEWEST_BAKERIES))):
        parts[jobs[place].name] = made
    mine = [parts[each.name] for each in bakeries]
    return {file: _joined([part[file] for part in mine]) for file in (mine[0] if mine else ())}


def _joined(texts: Sequence[str]) -> bytes:
    """Put tables with the same columns below each other."""
    head, _, _ = texts[0].partition("\n")
    return "".join([head, "\n", *(text.partition("\n")[2] for text in texts)]).encode()


def _tables(
    node: NodeSettings,
    settings: RunSettings,
    newcomer: bool,
    model: bytes,
    learning_rate: float,
    errors: ErrorDistribution | None,
) -> dict[str, str]:
    bakery = bakery_rows_of(node, settings, newcomer=newcomer)
    assert bakery is not None, "the server opened it"
    own = client_model_of(bakery, model, learning_rate=learning_rate, errors=errors)
    return to_texts(tables_of_client(bakery, own))
