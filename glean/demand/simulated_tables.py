"""Tables of all bakeries of a simulation, each bakery's made by one of several processes.

On Ray the bakeries' own models lie in its actors, so that the server makes them again for the
tables of the report, on all cores. In one process they are there already.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

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
) -> dict[str, bytes]:
    """Make single days, plans, coverage and choices of all bakeries.

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
        How many processes share them; the bytes are the same at any number.

    Returns
    -------
    dict of str to bytes
        Files of a run's folder.
    """
    jobs = []
    for each in bakeries:
        name = each.sales.name
        told = (each.node, each.settings, name in newcomers, model, learning_rate, errors)
        jobs.append(Job(name, _tables, told))
    done = dict(shared_out(jobs, workers=workers))
    tables = [done[place] for place in range(len(jobs))]
    whole = {
        name: pd.concat([table[name] for table in tables], ignore_index=True)
        for name in (tables[0] if tables else ())
    }
    return {name: text.encode() for name, text in to_texts(whole).items()}


def _tables(
    node: NodeSettings,
    settings: RunSettings,
    newcomer: bool,
    model: bytes,
    learning_rate: float,
    errors: ErrorDistribution | None,
) -> dict[str, pd.DataFrame]:
    bakery = bakery_rows_of(node, settings, newcomer=newcomer)
    assert bakery is not None, "the server opened it"
    own = client_model_of(bakery, model, learning_rate=learning_rate, errors=errors)
    return tables_of_client(bakery, own)
