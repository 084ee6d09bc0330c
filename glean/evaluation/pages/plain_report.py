"""The report of a run of a workload whose result is a table of metrics."""

from __future__ import annotations

from pathlib import Path

from glean.evaluation.figures.curves import learning_curve
from glean.evaluation.pages import html
from glean.evaluation.pages.run_page import write_page
from glean.evaluation.tables.run_outline import read_outline
from glean.federation.server.conclusion import ResultTable
from glean.metric_sums import metric_label


def write_plain_report(folder: Path, result: ResultTable | None, *, metric: str) -> Path:
    """Write `report.html` into a run's folder; its path.

    Parameters
    ----------
    folder : Path
        The run's folder.
    result : ResultTable or None
        The final result; None for a run that has none because it didn't complete.
    metric : str
        The workload's primary metric.

    Raises
    ------
    GleanError
        The folder is no run's, or a file is damaged.
    """
    outline = read_outline(folder, metric=metric)
    curve = learning_curve(
        outline,
        metric=metric,
        axis=metric_label(metric),
        share=False,
        scored_on="validation rows",
    )
    return write_page(outline, _result(result), [curve], glossary=(), lacking="too few rows")


def _result(result: ResultTable | None) -> list[str]:
    if result is None:
        return [html.paragraph("There are no final scores.")]
    sentences = [html.paragraph(text, kind="headline") for text in result.sentences]
    return [
        *sentences,
        html.table(result.title, list(result.heads), [list(r) for r in result.rows]),
    ]
