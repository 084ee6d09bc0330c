"""One picture: test WAPE against exchanges, bytes and seconds; a row a job, a line a variant."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.evaluated_run import EvaluatedRun
from benchmarks.metered_grid import Spent
from benchmarks.variants import MASKED

if TYPE_CHECKING:  # matplotlib takes over half a second to import
    from matplotlib.axes import Axes

PALETTE = ("#0072B2", "#D55E00", "#E69F00", "#009E73", "#56B4E9", "#CC79A7", "#8A8A8A")
"""Colours of Okabe and Ito (2008, "Color Universal Design"): any colour vision tells them apart."""

WIDTH, ROW_HEIGHT, DPI = 12.0, 3.4, 110
WORST = 1.4
"""WAPE beyond this multiple of the lowest lies outside the picture: the first rounds of all."""


@dataclass(frozen=True)
class JobCurves:
    """What is drawn of a job.

    Parameters
    ----------
    bakeries : int
        Among whom the bytes are divided.
    runs : mapping of str to JudgedRun
        Variant -> one run.
    levels : mapping of str to float
        Name -> WAPE of a rival that has no rounds.
    """

    bakeries: int
    runs: Mapping[str, EvaluatedRun]
    levels: Mapping[str, float]


def draw(jobs: Mapping[str, JobCurves]) -> bytes:
    """Draw all jobs; a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, ROW_HEIGHT * len(jobs) + 0.8), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    rows = figure.subplots(len(jobs), 3, squeeze=False, sharey="row")
    for axes, (name, curves) in zip(rows, jobs.items(), strict=True):
        _draw_job(axes, name, curves)
    handles, labels = rows[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _draw_job(axes: Sequence[Axes], name: str, curves: JobCurves) -> None:
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    measures: dict[str, Callable[[Spent], float]] = {
        "exchanges": lambda spent: spent.exchanges,
        "kB a bakery": lambda spent: spent.payload / curves.bakeries / 1e3,
        "seconds in process": lambda spent: spent.seconds,
    }
    names = dict.fromkeys(variant.removesuffix(MASKED) for variant in curves.runs)
    colours = dict(zip(names, PALETTE, strict=False))
    for cell, (label, measure) in zip(axes, measures.items(), strict=True):
        for variant, run in curves.runs.items():
            cell.plot(
                [measure(spent) for spent in run.spent],
                run.wape,
                "--" if variant.endswith(MASKED) else "-",
                color=colours[variant.removesuffix(MASKED)],
                label=variant,
            )
        for style, (rival, wape) in zip(("-.", ":"), curves.levels.items(), strict=True):
            cell.axhline(wape, color="black", linestyle=style, linewidth=1, label=rival)
        cell.set_xscale("log")
        cell.xaxis.set_major_formatter(ScalarFormatter())
        cell.xaxis.set_minor_formatter(NullFormatter())
        cell.set_xlabel(label)
        cell.grid(color="#DDDDDD", linewidth=0.8)
    drawn = [*curves.levels.values(), *(wape for run in curves.runs.values() for wape in run.wape)]
    axes[0].set_ylim(0.98 * min(drawn), min(WORST * min(drawn), 1.02 * max(drawn)))
    axes[0].set_ylabel(f"{name}: WAPE")
