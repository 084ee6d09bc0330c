"""Figures of a run: which there are, in the order in which they are read."""

from __future__ import annotations

from glean.evaluation.figures.baselines import best_possible_distance, federated_or_local
from glean.evaluation.figures.curves import federation_size_curve, learning_curve
from glean.evaluation.figures.days import forecast_lines, weekday_errors
from glean.evaluation.figures.plan_curve import plan_curve
from glean.evaluation.figures.plot_style import LeftOut, Picture
from glean.evaluation.tables.headline import of_what
from glean.evaluation.tables.results import RunResults
from glean.evaluation.tables.summary import Summary


def draw_figures(results: RunResults, summary: Summary | None) -> tuple[Picture | LeftOut, ...]:
    """Draw what the files of the run allow; the others come back with the reason.

    Parameters
    ----------
    results : RunResults
        Contents of the run folder.
    summary : Summary or None
        None for a run without final scores, whose figures of them are then not asked for.
    """
    if summary is None:
        return (_learning_curve(results),)
    return (
        federated_or_local(results, summary),
        best_possible_distance(results, summary),
        plan_curve(results),
        forecast_lines(results),
        weekday_errors(results),
        _learning_curve(results),
        federation_size_curve(results),
    )


def _learning_curve(results: RunResults) -> Picture | LeftOut:
    return learning_curve(
        results, metric="wape", axis=f"WAPE (% {of_what(results.units_label)})", share=True
    )
