"""The report: a run folder becomes `report.html` and `figures/*.png`, for people.

Reads only the files of the run folder, so a report can be made again at any time, and also for a
run that failed.
"""

from __future__ import annotations

from pathlib import Path

from glean.errors import GleanError
from glean.evaluation.figures.drawing import draw_figures
from glean.evaluation.pages import html
from glean.evaluation.pages.coverage_tables import (
    coverage_sentence,
    coverage_table,
    selection_table,
)
from glean.evaluation.pages.glossary import glossary
from glean.evaluation.pages.report_tables import (
    bakeries_table,
    named_days_table,
    summary_table,
)
from glean.evaluation.pages.run_page import ReportPage, make_page
from glean.evaluation.tables.comparison_sentences import (
    best_possible_sentence,
    chosen_sentence,
    comparison_sentence,
    incomplete_sentence,
)
from glean.evaluation.tables.headline import gain_sentence, headline, verdict
from glean.evaluation.tables.named_day_scores import named_day_scores
from glean.evaluation.tables.plan_savings import lead_sentences
from glean.evaluation.tables.results import RunResults, read_results
from glean.evaluation.tables.summary import Summary, summarise
from glean.languages.language import ENGLISH, Language


def write_report(run_folder: Path, language: Language = ENGLISH) -> Path:
    """Write the report of a run.

    Parameters
    ----------
    run_folder : Path
        Folder with `run.json` and what else the run left.
    language : Language
        Of the report.

    Returns
    -------
    Path
        `report.html` in that folder. Each file is replaced as a whole.

    Raises
    ------
    GleanError
        The folder is no run folder, a file is damaged, or a completed run lacks `bakeries.csv`.
    """
    return make_report(run_folder, language).write(run_folder)


def make_report(run_folder: Path, language: Language) -> ReportPage:
    """Make the report of a run and write nothing; raises as `write_report`."""
    results = read_results(run_folder)
    summary = run_summary(results)
    return make_page(
        results,
        _result(results, summary, language),
        draw_figures(results, summary, language),
        language,
        glossary=glossary(language),
    )


def run_summary(results: RunResults) -> Summary | None:
    """Add up the final scores; None for a run that has none because it didn't complete.

    Raises
    ------
    GleanError
        The run says that it completed, yet `bakeries.csv` is missing.
    """
    if results.scores is not None:
        return summarise(results.scores, truth=results.truth, noise=results.score_noise)
    if results.run.status == "completed":
        raise GleanError(
            f"{results.run.folder}: found no bakeries.csv, though the run completed; was it "
            "deleted? Run again"
        )
    return None


def _result(results: RunResults, summary: Summary | None, language: Language) -> list[str]:
    if summary is None or results.scores is None:
        return [html.paragraph(language.translate("There are no final scores."))]
    first, *further = lead_sentences(results, language) or [""]
    units = results.units_label
    return [
        html.paragraph(first, kind="headline"),
        *(html.paragraph(text) for text in further),
        html.paragraph(verdict(summary, language), kind="verdict"),
        html.section(
            language.translate("How far off"),
            [
                html.paragraph(headline(summary, language, units_label=units)),
                html.paragraph(gain_sentence(summary, language)),
                summary_table(summary, language, units_label=units),
                html.paragraph(comparison_sentence(summary.federated_or_local, language)),
                html.paragraph(chosen_sentence(summary.chosen_or_local, language)),
                html.paragraph(best_possible_sentence(summary, language)),
                html.paragraph(incomplete_sentence(summary, language), kind="warning"),
                html.paragraph(coverage_sentence(results.coverage, language)),
                html.folded(
                    language.translate("Every bakery"), bakeries_table(results.scores, language)
                ),
                *_own_models(results, language),
            ],
        ),
    ]


def _own_models(results: RunResults, language: Language) -> list[str]:
    """Say what single bakeries chose and knew; only of a simulation with baselines."""
    blocks = []
    if results.days is not None:
        region = str(results.run.settings.get("holiday-region") or "")
        table = named_days_table(named_day_scores(results.days, region), language)
        title = language.translate("Holidays and other special days")
        blocks.append(html.folded(title, table))
    if results.coverage is not None:
        title = language.translate("How sure, by bakery")
        blocks.append(html.folded(title, coverage_table(results.coverage, language)))
    if results.choices is not None:
        title = language.translate("What each bakery bakes by")
        blocks.append(html.folded(title, selection_table(results.choices, language)))
    return blocks
