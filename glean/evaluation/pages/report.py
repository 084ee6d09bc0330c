"""The report: a run folder becomes `report.html` and `figures/*.png`, for people.

Reads only the files of the run folder, so a report can be made again at any time, and also for a
run that failed.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from glean.errors import GleanError
from glean.evaluation.figures.drawing import draw_figures
from glean.evaluation.figures.plan_curve import savings_sentences
from glean.evaluation.figures.plot_style import LeftOut, Picture
from glean.evaluation.pages import html
from glean.evaluation.pages.coverage_tables import (
    coverage_sentence,
    coverage_table,
    selection_table,
)
from glean.evaluation.pages.glossary import GLOSSARY
from glean.evaluation.pages.report_tables import (
    bakeries_table,
    run_facts,
    settings_table,
    summary_table,
)
from glean.evaluation.tables.headline import (
    best_possible_sentence,
    chosen_sentence,
    comparison_sentence,
    gain_sentence,
    headline,
    incomplete_sentence,
    verdict,
)
from glean.evaluation.tables.results import RunResults, read_results
from glean.evaluation.tables.summary import Summary, summarise
from glean.runs.folder import write_whole


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
    _write_figures(run_folder / "figures", figures)
    path = run_folder / "report.html"
    write_whole(path, _page(results, summary, figures).encode("utf-8"))
    return path


def run_summary(results: RunResults) -> Summary | None:
    """Add up the final scores; None for a run that has none because it didn't complete.

    Raises
    ------
    GleanError
        The run says that it completed, yet `bakeries.csv` is missing.
    """
    if results.scores is not None:
        return summarise(results.scores, truth=results.truth)
    if results.status == "completed":
        raise GleanError(
            f"{results.folder}: found no bakeries.csv, though the run completed; was it deleted? "
            "Run again"
        )
    return None


def _page(
    results: RunResults, summary: Summary | None, figures: Iterable[Picture | LeftOut]
) -> str:
    drawn = [item for item in figures if isinstance(item, Picture)]
    left_out = [item for item in figures if isinstance(item, LeftOut)]
    title = {"completed": "What the federation did", "failed": "This run failed"}
    return html.whole_page(
        f"Glean: {title.get(results.status, 'This run is not finished')}",
        [
            _status(results),
            *_result(results, summary),
            html.section("Pictures", [html.figure(picture) for picture in drawn]),
            html.section(
                "Pictures that this run doesn't have",
                [html.bullets(f"{item.title} {item.reason}" for item in left_out)],
            ),
            html.section("Bakeries that failed in a round", [_failures(results)]),
            html.section("Bakeries with too few days to learn from", [_left_out(results)]),
            html.section("What the words mean", [html.definitions(GLOSSARY)]),
            html.section("The run", [run_facts(results), settings_table(results)]),
        ],
    )


def _status(results: RunResults) -> str:
    if results.status == "completed":
        return ""
    reason = str(results.facts.get("reason") or "")
    if results.status == "failed":
        return html.paragraph(reason or "No reason was written down.", kind="failure")
    return html.paragraph("What follows is what there was when it was read.", kind="warning")


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
    if results.coverage is not None:
        blocks.append(html.folded("How sure, by bakery", coverage_table(results.coverage)))
    if results.choices is not None:
        blocks.append(html.folded("What each bakery bakes by", selection_table(results.choices)))
    return blocks


def _failures(results: RunResults) -> str:
    if not results.failures:
        return html.paragraph("None.") if results.status == "completed" else ""
    return html.bullets(
        f"Round {event.get('round', '?')}, {event.get('bakery', '?')}: "
        f"{event.get('reason', 'no reason was given')}"
        for event in results.failures
    )


def _left_out(results: RunResults) -> str:
    return html.bullets(
        f"Left out of training: {event.get('bakery', '?')} "
        f"({event.get('reason', 'no reason was given')})"
        for event in results.left_out
    )


def _write_figures(folder: Path, figures: Iterable[Picture | LeftOut]) -> None:
    folder.mkdir(exist_ok=True)
    for item in figures:
        path = folder / f"{item.name}.png"
        if isinstance(item, Picture):
            write_whole(path, item.png)
        else:
            path.unlink(missing_ok=True)  # left by an earlier report of the same run
