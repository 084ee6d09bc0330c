"""Figures of a run: which there are, in the order in which they are read."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from glean.evaluation.figures.baselines import best_possible_distance, federated_or_local
from glean.evaluation.figures.curves import federation_size_curve, learning_curve
from glean.evaluation.figures.days import forecast_lines, weekday_errors
from glean.evaluation.figures.plan_curve import plan_curve
from glean.evaluation.figures.plot_style import LeftOut, Picture
from glean.evaluation.tables.choices import errors_without_federation
from glean.evaluation.tables.headline import of_what
from glean.evaluation.tables.results import RunResults
from glean.evaluation.tables.summary import Summary
from glean.languages.language import Language
from glean.process_pool import Job, shared_out, warm_workers

Figure = Callable[..., Picture | LeftOut]


def draw_figures(
    results: RunResults, summary: Summary | None, language: Language
) -> tuple[Picture | LeftOut, ...]:
    """Draw what the files of the run allow; the others come back with the reason.

    In several processes, where these are warm (`glean.process_pool.warm_up`).

    Parameters
    ----------
    results : RunResults
        Contents of the run folder.
    summary : Summary or None
        None for a run without final scores, whose figures of them are then not asked for.
    language : Language
        Of titles, axes, legends and captions.
    """
    if summary is None:
        return (_learning_curve(results, language),)
    figures: list[tuple[Figure, tuple[Any, ...]]] = [
        (plan_curve, (results, language)),
        (federated_or_local, (results, summary, language)),
        (best_possible_distance, (results, summary, language)),
        (forecast_lines, (results, language)),
        (weekday_errors, (results, language)),
        (_learning_curve, (results, language)),
        (federation_size_curve, (results, language)),
    ]
    jobs = [Job(figure.__name__, figure, told) for figure, told in figures]
    drawn = dict(shared_out(jobs, workers=warm_workers(os.environ)))
    return tuple(drawn[place] for place in range(len(jobs)))


def _learning_curve(results: RunResults, language: Language) -> Picture | LeftOut:
    axis = f"WAPE (% {of_what(results.units_label, language)})"
    beside = {} if results.choices is None else errors_without_federation(results.choices)
    return learning_curve(results, language, metric="wape", axis=axis, share=True, beside=beside)
