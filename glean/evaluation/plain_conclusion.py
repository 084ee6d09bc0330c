"""The end of a run of a workload whose final test is sums of metrics: a table and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from glean.errors import GleanError
from glean.evaluation.pages.plain_report import write_plain_report
from glean.federation.server.conclusion import FinishedRounds, ResultTable
from glean.federation.workload.registry import workload_of
from glean.metric_sums import metric_label
from glean.settings import RunSettings

ALL_CLIENTS = "(all)"
START = "start-from"
"""Method of the model that a run began with."""


class PlainConclusion:
    """Metrics by client and method."""

    def run_facts(self, settings: RunSettings, *, deployed: bool) -> dict[str, Any]:
        """Say nothing of the data."""
        del settings, deployed
        return {}

    def conclude(self, run: FinishedRounds) -> str:
        """Have the final model tested and write `bakeries.csv`; the summary as a sentence.

        Raises
        ------
        FederationError
            No client gave valid scores.
        """
        workload = workload_of(run.settings)
        rows = _rows(run, run.loop.test(run.result, findings=""), workload.final_methods)
        if run.settings.start_from:
            rows += _rows(run, run.loop.test_start(run.result), ("federated",), shown_as=START)
        table = pd.DataFrame(rows)
        run.folder.write_bytes(
            "bakeries.csv", table.to_csv(index=False, lineterminator="\n").encode()
        )
        return _sentence(_totals(table, workload.metrics))

    def write_report(self, folder: Path) -> Path:
        """Write `report.html`; its path."""
        settings = _settings(folder)
        table = self.result_table(folder) if (folder / "bakeries.csv").is_file() else None
        return write_plain_report(folder, table, metric=workload_of(settings).metrics.COLUMNS[0])

    def result_table(self, folder: Path) -> ResultTable:
        """Make the final table of a completed run.

        Raises
        ------
        GleanError
            The run has no final scores.
        """
        path = folder / "bakeries.csv"
        if not path.is_file():
            raise GleanError(f"{folder} has no bakeries.csv: the run ended before its final test")
        metrics = workload_of(_settings(folder)).metrics
        totals = _totals(pd.read_csv(path), metrics)
        best = min(sums.primary for sums in totals.values())
        return ResultTable(
            title="Test rows of all clients",
            heads=("method", "rows", *(metric_label(name) for name in metrics.COLUMNS)),
            rows=tuple(
                (method, f"{sums.rows:.0f}", *(f"{v:.4f}" for v in sums.metrics().values()))
                for method, sums in totals.items()
            ),
            best=frozenset(i for i, s in enumerate(totals.values()) if s.primary == best),
            sentences=(_sentence(totals),),
        )
