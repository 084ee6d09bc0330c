"""Flower's entry point at the server: meet the bakeries, lead the rounds, judge, report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from glean.evaluation.pages.report import write_report
from glean.evaluation.tables.client_tables import client_model_of, tables_of_client, to_texts
from glean.evaluation.tables.diagnostics import diagnose, train_pooled_baseline
from glean.evaluation.tables.final_scores import final_scores
from glean.evaluation.tables.headline import headline
from glean.evaluation.tables.scores import BakeryScore, score_frame
from glean.evaluation.tables.summary import METHOD_ORDER, summarise
from glean.federation.client.client import Client, client_of
from glean.federation.coordination.exchange import ClientExchange
from glean.federation.grids.engine import engine_of, started_by_flower
from glean.federation.server.setup import (
    Bakeries,
    negotiate_features,
    register_clients,
    training_loop,
)
from glean.federation.server.start_model import take_start_model, whole_paths
from glean.federation.server.training_loop import TrainingResult
from glean.forecasting.predict import definition_of, read_model
from glean.forecasting.prior import ERRORS_FILE
from glean.learning.learning_rates import learning_rate_of, pooled_learning_rate_of
from glean.privacy.mask_graph import FEWEST_BAKERIES
from glean.runs.events import RunStarted
from glean.runs.folder import RunFolder, reason_of
from glean.runs.log_lines import COMPLETED, FAILED, REPORT, RESULTS, SUMMARY, log_to
from glean.runs.record import RunRecord
from glean.settings import NodeSettings, RunSettings

LOG = logging.getLogger("glean")

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Lead one run and leave its folder complete, whether it succeeds or fails."""
    if started_by_flower(grid):
        log_to("stdout")  # the stream that Flower forwards
    config = whole_paths(context.run_config)
    record = RunRecord.begin(config, run_id=context.run_id, engine=engine_of(grid))
    LOG.info("%s%s", RESULTS, record.folder.path)
    try:
        _lead(grid, RunSettings.from_config(config), record)
    except BaseException as error:
        reason = reason_of(error)
        record.end("failed", reason=reason)
        LOG.error("%s%s", FAILED, reason)  # noqa: TRY400
        raise
    LOG.info("%s%s", REPORT, record.folder.path / "report.html")
    LOG.info(COMPLETED)


def _lead(grid: Grid, settings: RunSettings, record: RunRecord) -> None:
    if settings.resume:
        record.note(resumed_from=settings.resume)
    beginning = take_start_model(settings, record.folder)
    beginning.wait_for_nodes(grid, timeout_s=float(settings.rounds.round_timeout_s))
    clients, bakeries, newcomers = register_clients(grid, settings, record.folder)
    record.note(
        settings=settings.to_config(),
        nodes=len(list(grid.get_node_ids())),
        bakeries=list(bakeries),
        newcomers=list(newcomers),
        learning_rate=learning_rate_of(settings.rounds),
        synthetic=not settings.table.sales and not _deployed(bakeries),
        engine="deployment" if _deployed(bakeries) else record.engine,
        resumed_round=beginning.state.number if beginning.state else None,
    )
    _announce(clients, bakeries, settings)
    definition = beginning.definition or negotiate_features(bakeries, newcomers, settings)
    rounds = training_loop(
        clients, settings, definition, bakeries, newcomers, start=beginning.start
    )
    outcome = rounds.with_errors(rounds.run(beginning.state))
    record.folder.write_bytes(f"model{outcome.model.suffix}", outcome.model.to_bytes())
    if outcome.errors:
        record.folder.write_bytes(ERRORS_FILE, outcome.errors.to_json().encode())
    record.note(
        best_round=outcome.best_round,
        last_round=outcome.last_round,
        devices=sorted(rounds.devices),
    )
    scores = final_scores(rounds, clients, outcome)
    if not _deployed(bakeries):
        scores += _look_inside(settings, bakeries, newcomers, outcome, record)
    table = score_frame(_sorted(scores))
    _write_csv(record.folder, "bakeries.csv", table)
    record.note(bakeries=list(clients.registered))
    record.end("completed", before_last=lambda: write_report(record.folder.path))
    LOG.info("%s%s", SUMMARY, headline(summarise(table), units_label=settings.table.units_label))


def _deployed(bakeries: Bakeries) -> bool:
    return any(met.own_table for met in bakeries.values())


def _announce(clients: ClientExchange, bakeries: Bakeries, settings: RunSettings) -> None:
    rounds = settings.rounds.num_server_rounds
    clients.folder.append_event(RunStarted(tuple(bakeries), rounds))
    LOG.info("%d bakeries, %d rounds of %s", len(bakeries), rounds, settings.rounds.aggregation)
    for name, met in bakeries.items():
        if met.note:
            clients.report_untrained(name, met.note)
    if settings.secure_sums:
        LOG.info("%s", _about_masks(settings, bakeries))


def _about_masks(settings: RunSettings, bakeries: Bakeries) -> str:
    """Say whether sums are masked in this run."""
    kind = settings.rounds.aggregation
    learners = sum(met.trains for met in bakeries.values())
    hides = not settings.shows_scores(deployed=_deployed(bakeries))
    if not settings.rounds.sums and not hides:
        return f"secure-sums has no effect: {kind} with these leaf-values sums nothing"
    if learners < FEWEST_BAKERIES and not _deployed(bakeries) and kind != "histogram":
        return (
            f"secure-sums has no effect: {learners} bakeries learn, and of fewer than "
            f"{FEWEST_BAKERIES} each could tell the others' part from the sum"
        )
    return "sums are masked: the server sees what all bakeries add up to, and none of the summands"


def _look_inside(
    settings: RunSettings,
    bakeries: Bakeries,
    newcomers: Sequence[str],
    outcome: TrainingResult,
    record: RunRecord,
) -> list[BakeryScore]:
    """Add what only a simulation knows; the server opens the bakeries' tables for it."""
    opened = [
        client_of(NodeSettings(met.partition), settings, newcomer=name in newcomers)
        for name, met in bakeries.items()
    ]
    participants = [participant for participant in opened if participant is not None]
    model = read_model(outcome.model.to_bytes())
    pooled = None
    if settings.baselines:
        for each in participants:
            each.training(definition_of(model))  # once, before two threads ask for it
        with ThreadPoolExecutor(1) as beside:
            training = beside.submit(
                train_pooled_baseline,
                participants,
                definition_of(model),
                settings,
                learning_rate=pooled_learning_rate_of(settings.rounds),
                steps=_pooled_rounds(settings, outcome),
            )
            _write_details(settings, participants, outcome, record)
            pooled = training.result()
    insight = diagnose(participants, model, pooled)
    _write_csv(record.folder, "forecasts.csv", insight.forecasts)
    if insight.truth is not None:
        _write_csv(record.folder, "truth.csv", insight.truth)
    return insight.pooled


def _write_details(
    settings: RunSettings,
    participants: Sequence[Client],
    outcome: TrainingResult,
    record: RunRecord,
) -> None:
    """Add single days, plans, coverage and choices of all bakeries."""
    model, rate = outcome.model.to_bytes(), learning_rate_of(settings.rounds)
    owns = [
        client_model_of(each, model, learning_rate=rate, widths=outcome.errors)
        for each in participants
    ]
    tables = [tables_of_client(*pair) for pair in zip(participants, owns, strict=True)]
    for name in tables[0] if tables else ():
        whole = pd.concat([table[name] for table in tables], ignore_index=True)
        record.folder.write_bytes(name, to_texts({name: whole})[name].encode())


def _pooled_rounds(settings: RunSettings, outcome: TrainingResult) -> int:
    """As many as the model went through; a full run's where it began with a model of unknown age.

    The pooled rival always begins from nothing.
    """
    return settings.rounds.num_server_rounds if settings.start_from else outcome.best_round


def _sorted(scores: Sequence[BakeryScore]) -> list[BakeryScore]:
    return sorted(scores, key=lambda score: (score.bakery, METHOD_ORDER.index(score.method)))


def _write_csv(folder: RunFolder, name: str, frame: Any) -> None:
    text = frame.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%d")
    folder.write_bytes(name, text.encode())
