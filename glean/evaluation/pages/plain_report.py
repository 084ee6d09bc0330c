"""The report of a run of a workload whose result is a table of metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glean.evaluation.figures.curves import learning_curve
from glean.evaluation.figures.plot_style import Picture
from glean.evaluation.pages import html
from glean.evaluation.pages.run_page import ReportPage, make_page
from glean.evaluation.tables.run_outline import read_outline
from glean.federation.server.conclusion import ResultTable
from glean.languages.language import Language
from glean.metric_sums import metric_label


def make_plain_report(
    folder: Path,
    result: ResultTable | None,
    language: Language,
    *,
    metric: str,
    figures: Sequence[Picture] = (),
    more: Sequence[str] = (),
) -> ReportPage:
    """Make the report of a run and write nothing.

    Parameters
    ----------
    folder : Path
        The run's folder.
    result : ResultTable or None
        The final result; None for a run that has none because it didn't complete.
    language : Language
        Of the page.
    metric : str
        The workload's primary metric.
    figures : sequence of Picture
        Others than the learning curve, which come first.
    more : sequence of str
        HTML that follows the final result.

    Raises
    ------
    GleanError
        The folder is no run's, or a file is damaged.
    """
    outline = read_outline(folder, metric=metric)
    curve = learning_curve(
        outline,
        language,
        metric=metric,
        axis=language.gettext(metric_label(metric)),
        share=False,
    )
    blocks = [*_result(result, language), *more]
    return make_page(outline, blocks, [*figures, curve], language, glossary=())


def _result(result: ResultTable | None, language: Language) -> list[str]:
    if result is None:
        return [html.paragraph(language.translate("There are no final scores."))]
    sentences = [html.paragraph(text, kind="headline") for text in result.sentences]
    return [
        *sentences,
        html.table(result.title, list(result.heads), [list(r) for r in result.rows]),
    ]
