"""Flower's entry point at the server: meet the bakeries, lead the rounds, judge, report."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pandas as pd
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from glean.evaluation.details import details_of_participant, own_model_of, to_texts
from glean.evaluation.final_scores import final_scores
from glean.evaluation.headline import headline
from glean.evaluation.report import write_report
from glean.evaluation.scores import BakeryScore, score_frame
from glean.evaluation.simulation import look_inside, train_rival
from glean.evaluation.summary import METHOD_ORDER, summarise
from glean.federation.beginning import begin, whole_paths
from glean.federation.conversation import Conversation
from glean.federation.inprocess import InProcessGrid
from glean.federation.lead import Bakeries, agree, meet, rounds_of
from glean.federation.marked_log import COMPLETED, FAILED, REPORT, RESULTS, SUMMARY, log_to
from glean.federation.participant import Participant, participant_of
from glean.federation.rounds import Outcome
from glean.federation.run_folder import RunFolder, reason_of
from glean.federation.run_record import RunRecord
from glean.forecasting.borrowed import WIDTHS_FILE
from glean.forecasting.forecast import definition_of, read_model
from glean.learning.rates import learning_rate_of, pooled_learning_rate_of
from glean.privacy.mask_graph import FEWEST_BAKERIES
from glean.settings import NodeSettings, RunSettings

LOG = logging.getLogger("glean")

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Lead one run and leave its folder complete, whether it succeeds or fails."""
    if not isinstance(grid, InProcessGrid):
        log_to("stdout")  # the stream that Flower forwards
    config = whole_paths(context.run_config)
    record = RunRecord.begin(grid, config, run_id=context.run_id)
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
    beginning = begin(settings, record.folder)
    beginning.await_nodes(grid, timeout_s=float(settings.rounds.round_timeout_s))
    talk, bakeries, newcomers = meet(grid, settings, record.folder)
    record.note(
        settings=settings.to_config(),
        nodes=len(list(grid.get_node_ids())),
        bakeries=list(bakeries),
        newcomers=list(newcomers),
        learning_rate=learning_rate_of(settings.rounds),
        synthetic=not settings.table.sales and not _deployed(bakeries),
        engine="deployment" if _deployed(bakeries) else record.engine,
        resumed_round=beginning.standing.number if beginning.standing else None,
    )
    _announce(talk, bakeries, settings)
    definition = beginning.definition or agree(bakeries, newcomers, settings)
    rounds = rounds_of(talk, settings, definition, bakeries, newcomers, start=beginning.start)
    outcome = rounds.with_widths(rounds.run(beginning.standing))
    record.folder.write_bytes(f"model{outcome.model.suffix}", outcome.model.to_bytes())
    if outcome.widths:
        record.folder.write_bytes(WIDTHS_FILE, outcome.widths.to_json().encode())
    record.note(
        best_round=outcome.best_round,
        last_round=outcome.last_round,
        devices=sorted(rounds.devices),
    )
    scores = final_scores(rounds, talk, outcome)
    if not _deployed(bakeries):
        scores += _look_inside(settings, bakeries, newcomers, outcome, record)
    table = score_frame(_sorted(scores))
    _write_csv(record.folder, "bakeries.csv", table)
    record.note(bakeries=list(talk.met))
    record.end("completed", before_last=lambda: write_report(record.folder.path))
    LOG.info("%s%s", SUMMARY, headline(summarise(table), units_label=settings.table.units_label))


def _deployed(bakeries: Bakeries) -> bool:
    return any(met.own_table for met in bakeries.values())


def _announce(talk: Conversation, bakeries: Bakeries, settings: RunSettings) -> None:
    rounds = settings.rounds.num_server_rounds
    talk.folder.append_event("run_started", bakeries=list(bakeries), rounds=rounds)
    LOG.info("%d bakeries, %d rounds of %s", len(bakeries), rounds, settings.rounds.aggregation)
    for name, met in bakeries.items():
        if met.note:
            talk.report_untrained(name, met.note)
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
    outcome: Outcome,
    record: RunRecord,
) -> list[BakeryScore]:
    """Add what only a simulation knows; the server opens the bakeries' tables for it."""
    opened = [
        participant_of(NodeSettings(met.partition), settings, newcomer=name in newcomers)
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
                train_rival,
                participants,
                definition_of(model),
                settings,
                learning_rate=pooled_learning_rate_of(settings.rounds),
                steps=_pooled_rounds(settings, outcome),
            )
            _write_details(settings, participants, outcome, record)
            pooled = training.result()
    insight = look_inside(participants, model, pooled)
    _write_csv(record.folder, "forecasts.csv", insight.forecasts)
    if insight.truth is not None:
        _write_csv(record.folder, "truth.csv", insight.truth)
    return insight.pooled


def _write_details(
    settings: RunSettings,
    participants: Sequence[Participant],
    outcome: Outcome,
    record: RunRecord,
) -> None:
    """Add single days, plans, coverage and choices of all bakeries."""
    model, rate = outcome.model.to_bytes(), learning_rate_of(settings.rounds)
    owns = [
        own_model_of(each, model, learning_rate=rate, widths=outcome.widths)
        for each in participants
    ]
    tables = [details_of_participant(*pair) for pair in zip(participants, owns, strict=True)]
    for name in tables[0] if tables else ():
        whole = pd.concat([table[name] for table in tables], ignore_index=True)
        record.folder.write_bytes(name, to_texts({name: whole})[name].encode())


def _pooled_rounds(settings: RunSettings, outcome: Outcome) -> int:
    """As many as the model went through; a full run's where it began with a model of unknown age.

    The pooled rival always begins from nothing.
    """
    return settings.rounds.num_server_rounds if settings.start_from else outcome.best_round


def _sorted(scores: Sequence[BakeryScore]) -> list[BakeryScore]:
    return sorted(scores, key=lambda score: (score.bakery, METHOD_ORDER.index(score.method)))


def _write_csv(folder: RunFolder, name: str, frame: Any) -> None:
    text = frame.to_csv(index=False, lineterminator="\n", date_format="%Y-%m-%d")
    folder.write_bytes(name, text.encode())
