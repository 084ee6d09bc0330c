"""The end of a run on the demand: final test, what only a simulation knows, tables, the report."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from glean.aggregation.error_histogram import ErrorDistribution
from glean.demand.error_sums import sum_errors
from glean.demand.model_card import demand_facts
from glean.demand.opened_bakeries import opened_bakeries
from glean.demand.simulated_tables import simulated_tables
from glean.demand.small_federation import caution
from glean.errors import GleanError, ImpossibleSumError
from glean.evaluation.pages.owner_page import write_owner_page
from glean.evaluation.pages.report import make_report, write_report
from glean.evaluation.tables.diagnostics import diagnose, train_pooled_baseline
from glean.evaluation.tables.federation_size import measure_sizes
from glean.evaluation.tables.final_scores import final_scores, noised_rows
from glean.evaluation.tables.headline import headline
from glean.evaluation.tables.plan_savings import lead_sentences
from glean.evaluation.tables.result_table import summary_result
from glean.evaluation.tables.results import read_results
from glean.evaluation.tables.scores import SCORE_COLUMNS, BakeryScore
from glean.evaluation.tables.summary import METHOD_ORDER, summarise
from glean.features.bakery_rows import BakeryRows
from glean.federation.server.conclusion import CardFacts, FinishedRounds, ResultTable
from glean.forecasting.forecasters import read_model
from glean.forecasting.prior import ERRORS_FILE
from glean.languages.language import ENGLISH, Language
from glean.learning.forest import Forest
from glean.learning.learning_rates import learning_rate_of, pooled_learning_rate_of
from glean.learning.xgboost_library import load_xgboost
from glean.process_pool import workers_of
from glean.runs.folder import RunFolder
from glean.runs.phase_events import Phase
from glean.runs.spreadsheet_cells import to_spreadsheet_csv
from glean.settings import RunSettings

LOG = logging.getLogger("glean")


class DemandConclusion:
    """Scores by method, plans against habits, and the report."""

    def run_facts(self, settings: RunSettings, *, deployed: bool) -> dict[str, Any]:
        """Say whether the bakeries are synthetic."""
        return {"synthetic": not settings.table.sales and not deployed}

    def caution(self, settings: RunSettings, *, clients: int) -> str:
        """Say where noise takes more from so many bakeries than the federation brings."""
        return caution(settings, bakeries=clients)

    def card_facts(self, run: FinishedRounds, *, tested: bool) -> CardFacts:
        """Say what the card of the final model needs."""
        return demand_facts(run, tested=tested)

    def conclude(self, run: FinishedRounds) -> str:
        """Have the final model tested and write the results; the summary as a sentence.

        Raises
        ------
        FederationError
            No bakery gave valid scores, or none has a day that could be scored.
        """
        errors = sum_errors(run)
        if errors is not None:
            run.folder.write_bytes(ERRORS_FILE, errors.to_json().encode())
        with ThreadPoolExecutor(1) as beside:
            # Beside the final test, for which this thread only waits for others.
            pooled = beside.submit(_pooled_baseline, run) if _wants_pooled(run) else None
            try:
                rows = _final_rows(run, findings=errors.to_json() if errors is not None else "")
            except ImpossibleSumError as error:
                LOG.warning("no final scores, as the sum of them can't be: %s", error)
                rows = []
            if not run.deployed:
                rows += [score.to_row() for score in _Diagnosis(run, errors, pooled).write()]
        table = pd.DataFrame(_sorted(rows), columns=list(SCORE_COLUMNS))
        _write_csv(run.folder, "bakeries.csv", table)
        summary = summarise(table, noise=run.loop.score_noise if run.loop.noises_scores else 0.0)
        return headline(summary, ENGLISH, units_label=run.settings.table.units_label)

    def write_report(self, folder: Path, language: Language = ENGLISH) -> Path:
        """Write `report.html`; its path."""
        return write_report(folder, language)

    def report_html(self, folder: Path, language: Language) -> str:
        """Make the page."""
        return make_report(folder, language).html

    def write_client_page(self, folder: Path, client: str, language: Language = ENGLISH) -> Path:
        """Write the page of one bakery, for its owner; its path."""
        return write_owner_page(folder, client, language)

    def measure_sizes(self, folder: Path, client_app: str, *, workers: int) -> Iterator[int]:
        """Write `growth.csv`; each size once it is measured."""
        return measure_sizes(folder, client_app, workers=workers)

    def result_table(self, folder: Path, language: Language = ENGLISH) -> ResultTable:
        """Make the final table of a completed run.

        Raises
        ------
        GleanError
            The run has no final scores.
        """
        results = read_results(folder)
        if results.scores is None:
            raise GleanError(f"{folder} has no bakeries.csv: the run ended before its final test")
        summary = summarise(results.scores, truth=results.truth, noise=results.score_noise)
        table = summary_result(summary, language, units_label=results.units_label)
        return replace(table, lead=tuple(lead_sentences(results, language)))


@dataclass(frozen=True)
class _Diagnosis:
    """What only a simulation knows; the server opens the bakeries' tables for it."""

    run: FinishedRounds
    errors: ErrorDistribution | None
    pooled: Future[Forest] | None

    def write(self) -> list[BakeryScore]:
        """Write single days, the truth and all bakeries' tables; the scores of pooled training."""
        folder = self.run.folder
        folder.begin_phase(Phase.DIAGNOSIS)
        pooled = self.pooled.result() if self.pooled else None
        bakeries = opened_bakeries(self.run)
        model = read_model(self.run.result.model.to_bytes())
        if self.run.settings.baselines:
            self._write_tables(bakeries)
        found = diagnose(bakeries, model, pooled)
        _write_csv(folder, "forecasts.csv", found.forecasts)
        if found.truth is not None:
            _write_csv(folder, "truth.csv", found.truth)
        return found.pooled

    def _write_tables(self, bakeries: Sequence[BakeryRows]) -> None:
        """Write single days, plans, coverage and choices of all bakeries."""
        run = self.run
        made = simulated_tables(
            bakeries,
            run.newcomers,
            run.result.model.to_bytes(),
            learning_rate=learning_rate_of(run.settings.rounds),
            errors=self.errors,
            workers=workers_of(os.environ),
            found=run.loop.final.tables(run.result.last_round),
        )
        for name, content in made.items():
            run.folder.write_bytes(name, content)


def _wants_pooled(run: FinishedRounds) -> bool:
    """Whether a run has a pooled rival; what its thread shares with this one is imported then."""
    if run.deployed or not run.settings.baselines:
        return False
    # Once, before two threads ask for it: while XGBoost is imported scikit-learn is hidden, and who
    # asks for that at the same moment doesn't find it.
    load_xgboost()
    return True


def _pooled_baseline(run: FinishedRounds) -> Forest:
    """Train the pooled rival of a simulation, on the tables that its server opens for that."""
    return train_pooled_baseline(
        opened_bakeries(run),
        read_model(run.result.model.to_bytes()).definition,
        run.settings,
        learning_rate=pooled_learning_rate_of(run.settings.rounds),
        steps=_pooled_rounds(run),
    )


def _pooled_rounds(run: FinishedRounds) -> int:
    """As many as the model went through; a full run's where it began with one of unknown age.

    The pooled baseline always begins from nothing.
    """
    if run.settings.start_from:
        return run.settings.rounds.num_server_rounds
    return run.result.best_round


def _final_rows(run: FinishedRounds, *, findings: str) -> list[dict[str, Any]]:
    """Rows of `bakeries.csv` from the bakeries' final test."""
    if run.loop.noises_scores:
        return noised_rows(run)
    return [score.to_row() for score in final_scores(run, findings=findings)]


def _sorted(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["bakery"], METHOD_ORDER.index(row["method"])))


def _write_csv(folder: RunFolder, name: str, frame: pd.DataFrame) -> None:
    folder.write_bytes(name, to_spreadsheet_csv(frame).encode())


CONCLUSION = DemandConclusion()
