"""The report: a run folder becomes `report.html` and `figures/*.png`, for people.

Reads only the files of the run folder, so a report can be made again at any time, and also for a
run that failed.
"""

from __future__ import annotations

from pathlib import Path

from glean.errors import GleanError
from glean.evaluation.figures.drawing import draw_figures
from glean.evaluation.figures.plan_curve import savings_sentences
from glean.evaluation.pages import html
from glean.evaluation.pages.coverage_tables import (
    coverage_sentence,
    coverage_table,
    selection_table,
)
from glean.evaluation.pages.glossary import GLOSSARY
from glean.evaluation.pages.report_tables import (
    bakeries_table,
    named_days_table,
    summary_table,
)
from glean.evaluation.pages.run_page import write_page
from glean.evaluation.tables.headline import (
    best_possible_sentence,
    chosen_sentence,
    comparison_sentence,
    gain_sentence,
    headline,
    incomplete_sentence,
    verdict,
)
from glean.evaluation.tables.named_day_scores import named_day_scores
from glean.evaluation.tables.results import RunResults, read_results
from glean.evaluation.tables.summary import Summary, summarise


def write_report(run_folder: Path) -> Path:
    """Write the report of a run.

    Parameters
    ----------
    run_folder : Path
        Folder with `run.json` and what else the run left.

    Returns
    -------
    Path
        `report.html` in that folder. Each file is replaced as a whole.

    Raises
    ------
    GleanError
        The folder is no run folder, a file is damaged, or a completed run lacks `bakeries.csv`.
    """
    results = read_results(run_folder)
    summary = run_summary(results)
    figures = draw_figures(results, summary)
    return write_page(results, _result(results, summary), figures, glossary=GLOSSARY)


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


def _result(results: RunResults, summary: Summary | None) -> list[str]:
    if summary is None or results.scores is None:
        return [html.paragraph("There are no final scores.")]
    return [
        html.paragraph(headline(summary, units_label=results.units_label), kind="headline"),
        html.paragraph(verdict(summary), kind="verdict"),
        html.paragraph(gain_sentence(summary)),
        summary_table(summary, units_label=results.units_label),
        html.paragraph(comparison_sentence(summary.federated_or_local)),
        html.paragraph(chosen_sentence(summary.chosen_or_local)),
        html.paragraph(best_possible_sentence(summary)),
        html.paragraph(incomplete_sentence(summary), kind="warning"),
        html.folded("Every bakery", bakeries_table(results.scores)),
        *_own_models(results),
    ]


def _own_models(results: RunResults) -> list[str]:
    """Say what single bakeries chose, baked and knew; only of a simulation with baselines."""
    sentences = [] if results.plans is None else savings_sentences(results.plans)
    blocks = [html.paragraph(text) for text in (*sentences, coverage_sentence(results.coverage))]
    if results.days is not None:
        region = str(results.run.settings.get("holiday-region") or "")
        table = named_days_table(named_day_scores(results.days, region))
        blocks.append(html.folded("Holidays and other special days", table))
    if results.coverage is not None:
        blocks.append(html.folded("How sure, by bakery", coverage_table(results.coverage)))
    if results.choices is not None:
        blocks.append(html.folded("What each bakery bakes by", selection_table(results.choices)))
    return blocks
