"""The end of a run on pictures: the final test, its rivals, tables and a report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from glean.class_scores import METRICS, ClassScores
from glean.errors import FederationError, ModelError
from glean.evaluation.figures import classes as figures
from glean.evaluation.figures.plot_style import Picture
from glean.evaluation.pages.plain_report import make_plain_report
from glean.evaluation.pages.run_page import ReportPage
from glean.evaluation.plain_conclusion import FEDERATED, START, PlainConclusion
from glean.federation.coordination.global_model import WeightModel
from glean.federation.server.conclusion import CardFacts, FinishedRounds, ResultTable
from glean.images.adaptation.layer_report import LAYERS
from glean.images.adaptation.layer_table import network_rows, networks_section
from glean.images.client_images import skipped_files
from glean.images.image_spec import ImageSpec
from glean.images.noised_result import conclude_noised, noised_rows, noised_table
from glean.images.partition import METHODS
from glean.images.privacy.privacy_terms import few_clients, privacy_terms, promise
from glean.images.result_files import (
    ALL,
    CALIBRATION,
    CONFUSION,
    LABELS,
    NEWCOMERS,
    OF_ALL,
    SKIPPED,
    FinalResult,
    read_of_all,
    read_scores,
    write_rows,
)
from glean.images.simulation_facts import (
    ERRORS_FILE,
    confident_errors,
    errors_to_bytes,
    label_rows,
    pooled_scores,
    read_errors,
    shares_of,
)
from glean.images.workload import IMAGES
from glean.languages.catalogues import translatable
from glean.languages.language import ENGLISH, Language
from glean.metric_sums import ALL_CLIENTS, metric_label
from glean.noise_settings import DP_FEDAVG
from glean.runs.index import read_run
from glean.runs.phase_events import Phase
from glean.runs.results import Columns, read_table
from glean.settings import RunSettings

POOLED = "pooled"

_NAMES = (
    translatable("balanced accuracy"),
    translatable("macro f1"),
    translatable("calibration error"),
)
_DIGITS = 4

ByClient = dict[str, dict[str, ClassScores]]


class ImageConclusion(PlainConclusion):
    """Scores of a classifier by client and method."""

    def run_facts(self, settings: RunSettings, *, deployed: bool) -> dict[str, Any]:
        """Say whether pictures are drawn ones, and what is promised of training pictures."""
        drawn = {} if deployed or settings.image.images else {"synthetic": True}
        terms = privacy_terms(settings)
        return drawn | ({"privacy": terms} if terms else {})

    def caution(self, settings: RunSettings, *, clients: int) -> str:
        """Say where noise for whole clients takes much from so many."""
        return few_clients(settings, clients)

    def card_facts(self, run: FinishedRounds, *, tested: bool) -> CardFacts:
        """Say what the model is for, what it tells apart, and how it came off."""
        spec = ImageSpec.from_json(run.loop.manager.spec)
        data = {
            "workload": run.settings.workload,
            "clients": len(run.infos),
            "network": run.settings.image.image_model,
            "classes": list(spec.classes),
            "side in pixels": spec.size,
            "channels": spec.channels,
        }
        scores: list[dict[str, Any]] = []
        if tested:
            table = read_of_all(run.folder.path)
            of_all = table[table["group"] == ALL].drop(columns="group")
            scores = [_known(row) for row in of_all.to_dict("records")]
            if run.loop.noises_scores:
                scores = noised_rows(of_all, run.loop.score_noise)
        return CardFacts(IMAGES.purpose, data, scores, privacy=privacy_terms(run.settings))

    def conclude(self, run: FinishedRounds) -> str:
        """Have the final model tested and write the tables; the summary as a sentence.

        Raises
        ------
        FederationError
            No client gave valid scores.
        """
        if run.loop.noises_scores:
            return conclude_noised(run)
        replies = run.loop.test(run.result, findings="")
        by_client = _by_client(run, replies, METHODS)
        if replies := run.loop.test_start(run.result):
            for name, found in _by_client(run, replies, (FEDERATED,)).items():
                by_client.setdefault(name, {})[START] = found[FEDERATED]
        if not any(found[FEDERATED].rows for found in by_client.values()):
            raise FederationError("no client has a test picture that could be scored")
        of_all = {ALL: _totals(by_client)}
        newcomers = {name: found for name, found in by_client.items() if name in run.newcomers}
        if newcomers:
            of_all[NEWCOMERS] = _totals(newcomers)
        if not run.deployed:
            _write_simulation(run, of_all[ALL])
        spec = ImageSpec.from_json(run.loop.manager.spec)
        FinalResult(by_client, of_all, spec.classes).write(run.folder)
        return _sentence(of_all[ALL][FEDERATED].rows, of_all[ALL][FEDERATED].metrics(), ENGLISH)

    def _report(self, folder: Path, language: Language) -> ReportPage:
        tested = (folder / OF_ALL).is_file()
        table = self.result_table(folder, language) if tested else None
        metrics = IMAGES.metrics
        noised = read_run(folder).settings.get("privacy") == DP_FEDAVG
        metric = metrics.BOUNDED if noised else metrics.COLUMNS[0]
        drawn = _figures(folder, language)
        least = float(read_run(folder).settings.get("adapt-share") or 0)
        networks = networks_section(folder, least, language)
        return make_plain_report(
            folder, table, language, metric=metric, figures=drawn, more=networks
        )

    def result_table(self, folder: Path, language: Language = ENGLISH) -> ResultTable:
        """Make the final table of a completed run.

        Raises
        ------
        GleanError
            The run has no final scores, or they are damaged.
        """
        table, told = read_of_all(folder), promise(read_run(folder).settings, language)
        if table["rows"].isna().all():
            noise = float(read_run(folder).facts.get("score_noise") or 0.0)
            noised = noised_table(table, noise, language)
            return replace(noised, sentences=(*noised.sentences, *told))
        names = [name for name in _SHOWN if table[name].notna().any()]
        grouped = table["group"].nunique() > 1
        best = {
            place
            for _, group in table.groupby("group", sort=False)
            for place in group.index[group["log_loss"] == group["log_loss"].min()]
        }
        federated = table[(table["method"] == FEDERATED) & (table["group"] == ALL)].iloc[0]
        metrics = {name: float(federated[name]) for name in names}
        return ResultTable(
            title=language.translate("Test pictures of all clients"),
            heads=(
                *([language.translate("clients")] if grouped else []),
                language.translate("method"),
                language.translate("rows"),
                *(language.gettext(metric_label(name)) for name in names),
            ),
            rows=tuple(
                (
                    *([language.gettext(str(row["group"]))] if grouped else []),
                    str(row["method"]),
                    language.number(row["rows"]),
                    *(language.number(row[name], _DIGITS) for name in names),
                )
                for row in table.to_dict("records")
            ),
            best=frozenset(best),
            sentences=(
                _sentence(float(federated["rows"]), metrics, language),
                *told,
            ),
        )


_SHOWN = tuple(name for name in METRICS if name != "calibration_error")
"""Columns of the final table; a picture shows the rest."""

_GROUPS = (translatable("all"), translatable("newcomers"))
"""Names of the groups, for the catalogues."""


def _by_client(
    run: FinishedRounds, replies: Mapping[str, str], methods: tuple[str, ...]
) -> ByClient:
    """Read the scores of each client where they are shown, else the sum over all."""
    classes = len(ImageSpec.from_json(run.loop.manager.spec).classes)
    if not run.loop.shows_scores:
        sums = run.loop.summed_test(run.result, methods=len(methods))
        found = (ClassScores.from_vector(row, classes) for row in sums)
        return {ALL_CLIENTS: dict(zip(methods, found, strict=True))}
    by_client: ByClient = {}
    for name, text in replies.items():
        try:
            by_client[name] = read_scores(text, classes, methods)
        except ModelError as error:
            number = run.result.last_round
            run.clients.report_failure(name, str(error), round_number=number)
    return by_client


def _totals(by_client: ByClient) -> dict[str, ClassScores]:
    """Add up over clients, by method."""
    totals: dict[str, ClassScores] = {}
    for found in by_client.values():
        for method, scores in found.items():
            totals[method] = totals[method] + scores if method in totals else scores
    return totals


def _write_simulation(run: FinishedRounds, of_all: dict[str, ClassScores]) -> None:
    """Write who has what and what the model is sure of, and add pooled training's scores."""
    run.folder.begin_phase(Phase.DIAGNOSIS)
    shares = shares_of(run)
    write_rows(run.folder, LABELS, label_rows(shares))
    if networks := network_rows(run.settings, run.loop.manager.spec, [*shares]):
        write_rows(run.folder, LAYERS, networks)
    if skipped := skipped_files(run.settings.image):
        rows = [{"file": file.path, "reason": file.why} for file in skipped]
        write_rows(run.folder, SKIPPED, rows)
    if run.settings.baselines:
        of_all[POOLED] = pooled_scores(run, shares)
    model = run.result.model
    assert isinstance(model, WeightModel), "pictures are learned by weights"
    if errors := confident_errors(model.weights, shares):
        run.folder.write_bytes(ERRORS_FILE, errors_to_bytes(errors))


def _figures(folder: Path, language: Language) -> list[Picture]:
    found = []
    confusion = Columns(("class", "taken_for", "rows"), ("class", "taken_for"))
    if (table := read_table(folder / CONFUSION, confusion)) is not None:
        found.append(figures.confusion(table, language))
    calibration = Columns(("rows", "confidence_sum", "hits"), ())
    if (table := read_table(folder / CALIBRATION, calibration)) is not None:
        found.append(figures.reliability(table, language))
    if errors := read_errors(folder):
        found.append(figures.confident_errors(errors, language))
    labels = Columns(("client", "class", "training"), ("client", "class"))
    if (table := read_table(folder / LABELS, labels)) is not None:
        found.append(figures.labels_by_client(table, language))
    return found


def _known(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Metrics to six digits; None for one that isn't finite."""
    return {
        str(name): value
        if isinstance(value, str)
        else round(value, 6)
        if math.isfinite(value)
        else None
        for name, value in row.items()
    }


def _sentence(rows: float, metrics: Mapping[str, float], language: Language) -> str:
    """Say how good the federation's model is."""
    shown = ("accuracy", "balanced_accuracy", "log_loss")
    found = ", ".join(
        f"{language.gettext(metric_label(name))} {language.number(metrics[name], _DIGITS)}"
        for name in shown
    )
    return language.translate_count(
        "The federation's model on {count} test picture: {metrics}.",
        "The federation's model on {count} test pictures: {metrics}.",
        round(rows),
        metrics=found,
    )


CONCLUSION = ImageConclusion()
