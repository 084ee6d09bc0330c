"""Flower's entry point at the server: meet the bakeries, lead the rounds, judge, report."""

from __future__ import annotations

import logging
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from glean.errors import FederationError, ModelError
from glean.evaluation.backtest import rows_from_json
from glean.evaluation.report import write_report
from glean.evaluation.scores import BakeryScore, score_frame
from glean.evaluation.simulation import look_inside
from glean.evaluation.summary import METHOD_ORDER
from glean.federation.conversation import Conversation
from glean.federation.inprocess import InProcessGrid
from glean.federation.lead import Bakeries, agree, meet, rounds_of
from glean.federation.participant import participant_of
from glean.federation.rounds import Outcome
from glean.federation.run_folder import RunFolder, reason_of, utc_now
from glean.forecasting.forecast import read_model
from glean.learning.rates import learning_rate_of, pooled_learning_rate_of
from glean.settings import ConfigValue, NodeSettings, RunSettings

LOG = logging.getLogger("glean")

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Lead one run and leave its folder complete, whether it succeeds or fails."""
    if not isinstance(grid, InProcessGrid):
        _log_to_the_stream()
    record = _Record.begin(grid, context.run_config, run_id=context.run_id)
    LOG.info("results: %s", record.folder.path)
    try:
        _lead(grid, RunSettings.from_config(context.run_config), record)
    except BaseException as error:
        reason = reason_of(error)
        record.end("failed", reason=reason)
        LOG.error("the run failed: %s (results: %s)", reason, record.folder.path)  # noqa: TRY400
        raise
    LOG.info("report: %s", record.folder.path / "report.html")


def _lead(grid: Grid, settings: RunSettings, record: _Record) -> None:
    talk, bakeries, newcomers = meet(grid, settings, record.folder)
    record.note(
        settings=settings.to_config(),
        bakeries=list(bakeries),
        newcomers=list(newcomers),
        learning_rate=learning_rate_of(settings.rounds),
        synthetic=not settings.table.sales and not _deployed(bakeries),
        engine="deployment" if _deployed(bakeries) else record.engine,
    )
    _announce(bakeries, settings, record)
    definition = agree(bakeries, newcomers, settings)
    rounds = rounds_of(talk, settings, definition, bakeries, newcomers)
    outcome = rounds.run()
    record.folder.write_bytes(f"model{outcome.model.suffix}", outcome.model.to_bytes())
    record.note(best_round=outcome.best_round, last_round=outcome.last_round)
    scores = _final_scores(rounds.test(outcome), talk, outcome)
    if not _deployed(bakeries):
        scores += _look_inside(settings, bakeries, newcomers, outcome, record)
    _write_csv(record.folder, "bakeries.csv", score_frame(_sorted(scores)))
    record.end("completed", before_last=lambda: write_report(record.folder.path))


def _deployed(bakeries: Bakeries) -> bool:
    return any(met.own_table for met in bakeries.values())


def _announce(bakeries: Bakeries, settings: RunSettings, record: _Record) -> None:
    rounds = settings.rounds.num_server_rounds
    record.folder.append_event("run_started", bakeries=list(bakeries), rounds=rounds)
    LOG.info("%d bakeries, %d rounds of %s", len(bakeries), rounds, settings.rounds.aggregation)
    for name, met in bakeries.items():
        if met.note:
            record.folder.append_event("bakery_not_trained", bakery=name, reason=met.note)
            forecast = "its products are forecast from their 7th trading day on"
            LOG.warning("%s is not trained on, %s: %s", name, forecast, met.note)
    if settings.secure_sums:
        LOG.info("secure-sums has no effect: %s sums nothing", settings.rounds.aggregation)


def _final_scores(
    replies: Mapping[str, str], talk: Conversation, outcome: Outcome
) -> list[BakeryScore]:
    scores: list[BakeryScore] = []
    for name, text in replies.items():
        try:
            scores += rows_from_json(text, bakery=name)
        except ModelError as error:
            talk.report_failure(name, str(error), round_number=outcome.last_round)
    if not any(score.n_rows for score in scores):
        raise FederationError(
            "no bakery has a day in the test window that could be judged: see events.jsonl, and "
            "the settings test-start and test-days"
        )
    return scores


def _look_inside(
    settings: RunSettings,
    bakeries: Bakeries,
    newcomers: Sequence[str],
    outcome: Outcome,
    record: _Record,
) -> list[BakeryScore]:
    """Add what only a simulation knows; the server opens the bakeries' tables for it."""
    opened = [
        participant_of(NodeSettings(met.partition), settings, newcomer=name in newcomers)
        for name, met in bakeries.items()
    ]
    insight = look_inside(
        [participant for participant in opened if participant is not None],
        read_model(outcome.model.to_bytes()),
        settings,
        learning_rate=pooled_learning_rate_of(settings.rounds),
        steps=outcome.best_round * settings.boosting.trees_per_round,
    )
    _write_csv(record.folder, "forecasts.csv", insight.forecasts)
    if insight.truth is not None:
        _write_csv(record.folder, "truth.csv", insight.truth)
    return insight.pooled


def _sorted(scores: Sequence[BakeryScore]) -> list[BakeryScore]:
    return sorted(scores, key=lambda score: (score.bakery, METHOD_ORDER.index(score.method)))


def _write_csv(folder: RunFolder, name: str, frame: Any) -> None:
    text = frame.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%d")
    folder.write_bytes(name, text.encode())


@dataclass
class _Record:
    """The run's folder and what its `run.json` says so far."""

    folder: RunFolder
    engine: str
    content: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(cls, grid: Grid, config: Mapping[str, ConfigValue], *, run_id: int) -> _Record:
        results = Path(str(config.get("output-dir") or "results"))
        record = cls(
            RunFolder.create(results, run_id=run_id),
            "inprocess" if isinstance(grid, InProcessGrid) else "ray",
        )
        record.note(
            settings=dict(config),
            seed=config.get("seed"),
            versions=_versions(),
            engine=record.engine,
            start=utc_now(),
            end=None,
            status="running",
            reason="",
        )
        return record

    def note(self, **facts: Any) -> None:
        """Add facts to `run.json`."""
        self.content |= facts
        self.folder.write_run(self.content)

    def end(self, status: str, *, reason: str = "", before_last: Any = None) -> None:
        """Write how the run ended; `before_last` still belongs to it, and may fail it."""
        self.note(status=status, reason=reason, end=utc_now())
        if before_last is not None:
            before_last()
        self.folder.append_event("run_finished", status=status, reason=reason)


def _versions() -> dict[str, str]:
    names = ("glean", "flwr", "ray", "xgboost", "scikit-learn", "numpy", "pandas")
    return {"python": platform.python_version()} | {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"  # Glean itself, where only Flower's app bundle of it is there


def _log_to_the_stream() -> None:
    """Let Glean's log lines reach Flower's, which only forwards what goes to stdout."""
    if not LOG.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
