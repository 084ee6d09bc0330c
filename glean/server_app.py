"""Flower's entry point at the server: register clients, run the rounds, conclude."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from functools import partial

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from glean.federation.coordination.exchange import ClientExchange
from glean.federation.grids.engine import engine_of, started_by_flower
from glean.federation.grids.flower_internals import look_often
from glean.federation.launch.parent_watch import ORPHANED, ended_with_superlink
from glean.federation.server.conclusion import FinishedRounds, conclusion_of
from glean.federation.server.model_card import CardWriter
from glean.federation.server.setup import (
    ClientInfos,
    negotiate_spec,
    register_clients,
    training_loop,
)
from glean.federation.server.start_model import resolve_paths, take_start_model
from glean.federation.wire.noised_parts import budget_of, client_budget_of
from glean.installed_packages import check_installed
from glean.learning.learning_rates import learning_rate_of
from glean.privacy.mask_graph import FEWEST_BAKERIES
from glean.privacy.model_key import ModelSigner
from glean.privacy.noise_budget import RECORDS_OF_A_DAY, NoiseBudget
from glean.runs.events import RunStarted
from glean.runs.folder import reason_of
from glean.runs.log_lines import COMPLETED, FAILED, REPORT, RESULTS, SUMMARY, log_to
from glean.runs.phase_events import Phase
from glean.runs.record import RunRecord
from glean.settings import ConfigValue, RunSettings
from glean.workloads import vocabulary_of

LOG = logging.getLogger("glean")

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Carry out one run and leave its folder complete, whether it succeeds or fails."""
    if started_by_flower(grid):
        log_to("stdout")  # the stream that Flower forwards
        look_often()
    config = resolve_paths(context.run_config)
    record = RunRecord.begin(config, run_id=context.run_id, engine=engine_of(grid))
    LOG.info("%s%s", RESULTS, record.folder.path)
    try:
        with ended_with_superlink(partial(record.end, "failed", reason=ORPHANED)):
            _run(grid, config, record, run_id=context.run_id)
    except BaseException as error:
        reason = reason_of(error)
        try:
            record.end("failed", reason=reason)
        finally:
            LOG.error("%s%s", FAILED, reason)  # noqa: TRY400
        raise
    LOG.info("%s%s", REPORT, record.folder.path / "report.html")
    LOG.info(COMPLETED)


def _run(grid: Grid, config: Mapping[str, ConfigValue], record: RunRecord, *, run_id: int) -> None:
    check_installed("matplotlib")
    settings = RunSettings.from_config(config)
    signer = ModelSigner.of(os.environ)
    if settings.resume:
        record.note(resumed_from=settings.resume)
    key = signer.public if signer else None
    record.folder.begin_phase(Phase.REGISTRATION)
    start = take_start_model(settings, record.folder, key=key)
    start.wait_for_nodes(grid, timeout_s=float(settings.rounds.round_timeout_s))
    clients, infos, newcomers = register_clients(
        grid, settings, record.folder, model_key=key.fingerprint if key else ""
    )
    deployed = any(info.own_table for info in infos.values())
    settings = RunSettings.from_config(config, deployed=deployed)
    conclusion = conclusion_of(settings.workload)
    record.note(
        settings=settings.to_config(),
        nodes=len(list(grid.get_node_ids())),
        bakeries=list(infos),
        newcomers=list(newcomers),
        learning_rate=learning_rate_of(settings.rounds),
        **conclusion.run_facts(settings, deployed=deployed),
        engine="deployment" if deployed else record.engine,
        resumed_round=start.state.number if start.state else None,
    )
    caution = conclusion.caution(settings, clients=sum(info.trains for info in infos.values()))
    _announce(clients, infos, settings, deployed=deployed, caution=caution)
    record.folder.begin_phase(Phase.PREPARATION)
    spec = start.spec or negotiate_spec(infos, newcomers, settings)
    loop = training_loop(clients, settings, spec, infos, newcomers, start=start.model)
    result = loop.run(start.state)
    finished = FinishedRounds(
        settings, loop, clients, result, infos, frozenset(newcomers), record.folder
    )
    record.note(best_round=result.best_round, last_round=result.last_round)
    card = CardWriter(finished, run_id=run_id, facts=record.content, signer=signer)
    finished = card.keep_model(conclusion.card_facts(finished, tested=False))
    summary = conclusion.conclude(finished)
    record.note(devices=sorted(loop.devices), bakeries=list(clients.registered))
    if loop.noises_scores:
        record.note(score_noise=loop.score_noise)
    card.write(conclusion.card_facts(finished, tested=True))
    record.folder.begin_phase(Phase.REPORT)
    record.end("completed", before_last=lambda: conclusion.write_report(record.folder.path))
    LOG.info("%s%s", SUMMARY, summary)


def _announce(
    clients: ClientExchange,
    infos: ClientInfos,
    settings: RunSettings,
    *,
    deployed: bool,
    caution: str,
) -> None:
    started = RunStarted(tuple(infos), settings.rounds.num_server_rounds, caution or None)
    clients.folder.append_event(started)
    LOG.info("%s of %s", started.sentence_in(clients.folder.words), settings.rounds.aggregation)
    for name, info in infos.items():
        if info.note:
            clients.report_untrained(name, info.note)
    if settings.secure_sums:
        LOG.info("%s", _about_masks(settings, infos, deployed=deployed))
    if settings.noise.wanted:
        LOG.info("%s", _about_noise(settings))
    if caution:
        LOG.warning("%s", caution)


def _about_noise(settings: RunSettings) -> str:
    """Say what the run spends, and of whom."""
    budget = client_budget_of(settings) if settings.noise.by_client else budget_of(settings)
    twice = f" (up to {budget.spent_when_resumed:.3g} with the interrupted round, opened twice)"
    if not isinstance(budget, NoiseBudget):
        return (
            f"what is opened carries noise: epsilon {budget.spent:.3g} (delta {budget.delta:g}) "
            f"for one client with all of its data, over all rounds and scores"
            f"{twice if settings.resume else ''}. All clients share the noise: of few it takes "
            "more than they learn. Scores are means over the clients with noise too, whose "
            "standard deviation is behind the ±"
        )
    return (
        f"what is opened carries noise: epsilon {budget.spent:.3g} (delta {budget.delta:g}) for a "
        f"bakery's day of training records{twice if settings.resume else ''}; for a day's sales, "
        f"which enter the records of up to {RECORDS_OF_A_DAY} days, "
        f"{budget.spent_of_a_days_sales:,.0f}; for all days of a product it promises nothing. "
        "Scores are means over the bakeries with noise too, whose standard deviation is behind the "
        "± (docs/privacy.md)"
    )


def _about_masks(settings: RunSettings, infos: ClientInfos, *, deployed: bool) -> str:
    """Say whether sums are masked in this run."""
    kind, named = settings.rounds.kind, vocabulary_of(settings.workload).many
    learners = sum(info.trains for info in infos.values())
    hides = not settings.shows_scores(deployed=deployed)
    if not kind.sums and not hides:
        return f"secure-sums has no effect: {kind.name} with these leaf-values sums nothing"
    if learners < FEWEST_BAKERIES and not deployed and not kind.always_masked:
        return (
            f"secure-sums has no effect: {learners} {named} learn, and of fewer than "
            f"{FEWEST_BAKERIES} each could tell the others' part from the sum"
        )
    return (
        f"sums are masked: the server sees what all {named} add up to and not the summands, as "
        "long as it keeps to the rules (docs/privacy.md)"
    )
