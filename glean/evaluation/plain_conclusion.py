"""The end of a run of a workload whose final test is sums of metrics: a table and a report."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from glean.errors import FederationError, GleanError, ModelError
from glean.evaluation.pages.plain_report import make_plain_report
from glean.evaluation.pages.run_page import ReportPage
from glean.federation.server.conclusion import CardFacts, FinishedRounds, ResultTable
from glean.federation.workload.final_rows import read_final_rows
from glean.federation.workload.registry import workload_of
from glean.languages.catalogues import translatable
from glean.languages.language import ENGLISH, Language
from glean.metric_sums import ALL_CLIENTS, MetricSums, metric_label
from glean.runs.index import read_run
from glean.runs.results import Columns, read_table
from glean.runs.spreadsheet_cells import to_spreadsheet_csv
from glean.settings import RunSettings

_METRICS = (translatable("log loss"), translatable("accuracy"))
"""What metrics of workloads are called, for the catalogues; others stay as their columns are."""

FEDERATED, START = "federated", "start-from"
"""Methods: the final model, and the one that a run began with."""


class PlainConclusion:
    """Metrics by client and method."""

    def run_facts(self, settings: RunSettings, *, deployed: bool) -> dict[str, Any]:
        """Say nothing of the data."""
        del settings, deployed
        return {}

    def caution(self, settings: RunSettings, *, clients: int) -> str:
        """Say nothing: no number of clients is known to be too few."""
        del settings, clients
        return ""

    def card_facts(self, run: FinishedRounds, *, tested: bool) -> CardFacts:
        """Say by the workload's own words what the model is for, and how it came off."""
        workload = workload_of(run.settings)
        scores: list[dict[str, Any]] = []
        if tested:
            kind = workload.metrics
            totals = _totals(_read_scores(run.folder.path / "bakeries.csv", kind), kind)
            scores = [{"method": name, **_known(sums)} for name, sums in totals.items()]
        data = {"workload": run.settings.workload, "clients": len(run.infos)}
        return CardFacts(workload.purpose, data, scores)

    def conclude(self, run: FinishedRounds) -> str:
        """Have the final model tested and write `bakeries.csv`; the summary as a sentence.

        Raises
        ------
        FederationError
            No client gave valid scores.
        """
        workload = workload_of(run.settings)
        rows = _rows(run, run.loop.test(run.result, findings=""), workload.final_methods)
        if not any(row["rows"] for row in rows):
            raise FederationError("no client has a row in its test window that could be scored")
        if replies := run.loop.test_start(run.result):
            rows += _rows(run, replies, (FEDERATED,), shown_as=START)
        table = pd.DataFrame(rows)
        run.folder.write_bytes("bakeries.csv", to_spreadsheet_csv(table).encode())
        return _sentence(_totals(table, workload.metrics), ENGLISH)

    def write_report(self, folder: Path, language: Language = ENGLISH) -> Path:
        """Write `report.html`; its path."""
        return self._report(folder, language).write(folder)

    def report_html(self, folder: Path, language: Language) -> str:
        """Make the page."""
        return self._report(folder, language).html

    def _report(self, folder: Path, language: Language) -> ReportPage:
        tested = (folder / "bakeries.csv").is_file()
        table = self.result_table(folder, language) if tested else None
        return make_plain_report(folder, table, language, metric=_metrics(folder).COLUMNS[0])

    def write_client_page(self, folder: Path, client: str, language: Language = ENGLISH) -> Path:
        """Refuse: there is nothing beyond `bakeries.csv` to show.

        Raises
        ------
        GleanError
            Always.
        """
        del language
        raise GleanError(
            f"{folder}: found no page for {client!r}; a run of this workload has none by client: "
            "see its report.html and bakeries.csv"
        )

    def measure_sizes(self, folder: Path, client_app: str, *, workers: int) -> Iterator[int]:
        """Measure nothing."""
        del folder, client_app, workers
        return iter(())

    def result_table(self, folder: Path, language: Language = ENGLISH) -> ResultTable:
        """Make the final table of a completed run.

        Raises
        ------
        GleanError
            The run has no final scores, or they are damaged.
        """
        kind = _metrics(folder)
        totals = _totals(_read_scores(folder / "bakeries.csv", kind), kind)
        best = min((sums.primary for sums in totals.values() if sums.rows), default=None)
        heads = (metric_label(name) for name in kind.COLUMNS)
        return ResultTable(
            title=language.translate("Test rows of all clients"),
            heads=(
                language.translate("method"),
                language.translate("rows"),
                *(language.gettext(head) for head in heads),
            ),
            rows=tuple(
                (
                    method,
                    language.number(sums.rows),
                    *(language.number(v, _DIGITS) for v in sums.metrics().values()),
                )
                for method, sums in totals.items()
            ),
            best=frozenset(i for i, s in enumerate(totals.values()) if s.primary == best),
            sentences=(_sentence(totals, language),),
        )


_DIGITS = 4
"""Of a metric, after the point."""


def _metrics(folder: Path) -> type[MetricSums]:
    """Kind of sums of a run's workload; other settings of a run that failed may be damaged."""
    return workload_of(RunSettings(workload=str(read_run(folder).settings["workload"]))).metrics


def _read_scores(path: Path, kind: type[MetricSums]) -> pd.DataFrame:
    text = ("bakery", "method")
    table = read_table(path, Columns((*text, *(item.name for item in fields(kind))), text))
    if table is None:
        raise GleanError(f"{path.parent} has no {path.name}: the run ended before its final test")
    if FEDERATED not in table["method"].to_numpy():
        raise GleanError(f"{path}: found no row of the method {FEDERATED}; run again")
    return table


def _rows(
    run: FinishedRounds,
    replies: Mapping[str, str],
    methods: Sequence[str],
    *,
    shown_as: str = "",
) -> list[dict[str, Any]]:
    """Rows of `bakeries.csv`: sums and metrics, by client where they are shown, else of all."""
    kind = workload_of(run.settings).metrics
    if not run.loop.shows_scores:
        sums = run.loop.summed_test(run.result, methods=len(methods)).tolist()
        summed = (kind.from_values(tuple(row)) for row in sums)
        found = {ALL_CLIENTS: dict(zip(methods, summed, strict=True))}
    else:
        found = {}
        for name, text in replies.items():
            try:
                found[name] = read_final_rows(kind, text, methods)
            except ModelError as error:
                number = run.result.last_round
                run.clients.report_failure(name, str(error), round_number=number)
    return [
        {"bakery": name, "method": shown_as or method, **vars(sums), **sums.metrics()}
        for name, by_method in found.items()
        for method, sums in by_method.items()
    ]


def _totals(table: pd.DataFrame, kind: type[MetricSums]) -> dict[str, MetricSums]:
    """Add up over clients, by method in the order of the table."""
    names = [item.name for item in fields(kind)]
    by_method = table.groupby("method", sort=False)[names].sum()
    rows = zip(by_method.index, by_method.to_numpy().tolist(), strict=True)
    return {str(method): kind(*row) for method, row in rows}


def _known(sums: MetricSums) -> dict[str, float | None]:
    """Metrics to six digits; None for one that isn't finite."""
    metrics = {"rows": sums.rows, **sums.metrics()}
    return {name: round(v, 6) if math.isfinite(v) else None for name, v in metrics.items()}


def _sentence(totals: Mapping[str, MetricSums], language: Language) -> str:
    """Say how good the federation's model is."""
    sums = totals[FEDERATED]
    found = ", ".join(
        f"{language.gettext(metric_label(name))} {language.number(value, _DIGITS)}"
        for name, value in sums.metrics().items()
    )
    return language.translate_count(
        "The federation's model on {count} test row: {metrics}.",
        "The federation's model on {count} test rows: {metrics}.",
        round(sums.rows),
        metrics=found,
    )


CONCLUSION = PlainConclusion()
