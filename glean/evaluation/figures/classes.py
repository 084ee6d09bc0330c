"""Figures of a classifier: who was taken for whom, who has how many of what, what it is sure of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glean.evaluation.figures.plot_style import COLOURS, GREY, Canvas, Picture, plain
from glean.languages.language import Language

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WRITTEN_UP_TO = 12
"""Classes beyond which numbers in the cells of a confusion can't be read."""

_TICKS_UP_TO = 30
_TALL = 6.0


@dataclass(frozen=True, eq=False)
class ConfidentError:
    """A test picture of which a model was sure, and wrong.

    Parameters
    ----------
    pixels : array of shape (height, width, channels)
        The picture.
    true, taken_for : str
        Its class, and the one that it was taken for.
    probability : float
        That the model gave to the latter.
    """

    pixels: NDArray[np.uint8]
    true: str
    taken_for: str
    probability: float


def confusion(table: pd.DataFrame, language: Language) -> Picture:
    """Draw which share of each class was taken for which.

    Parameters
    ----------
    table : DataFrame
        Columns `class`, `taken_for`, `rows`.
    language : Language
        Of what is said.
    """
    title = language.translate("Which classes are taken for which?")
    classes = list(dict.fromkeys(table["class"]))
    counts = table["rows"].to_numpy().reshape(len(classes), len(classes))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    canvas = Canvas(title, language, height=_TALL)
    axes = canvas.axes
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    canvas.figure.colorbar(image, ax=axes, shrink=0.8)
    axes.set_xlabel(language.translate("taken for"))
    axes.set_ylabel(language.translate("class"))
    _name_ticks(axes, classes)
    if len(classes) <= _WRITTEN_UP_TO:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            written = language.number(count) if count else ""
            axes.text(column, row, written, ha="center", va="center", color=colour, fontsize=8)
    caption = language.translate(
        "Test rows of all clients by their class (a line) and by the one that the federation's "
        "model took them for (a column)."
    )
    worst = table[table["class"] != table["taken_for"]].sort_values("rows").tail(1)
    alt = language.translate(
        "Most often taken for another: {true} for {taken}, {count} times.",
        true=plain(str(worst["class"].iloc[0])),
        taken=plain(str(worst["taken_for"].iloc[0])),
        count=language.number(int(worst["rows"].iloc[0])),
    )
    return Picture("confusion", title, caption, alt, canvas.png())


def labels_by_client(table: pd.DataFrame, language: Language) -> Picture:
    """Draw how many training rows of each class each client has.

    Parameters
    ----------
    table : DataFrame
        Columns `client`, `class`, `training`.
    language : Language
        Of what is said.
    """
    title = language.translate("Who has how many of which class?")
    clients = list(dict.fromkeys(table["client"]))
    classes = list(dict.fromkeys(table["class"]))
    counts = table.pivot_table("training", "client", "class", sort=False, fill_value=0)
    values = counts.loc[clients, classes].to_numpy()
    canvas = Canvas(title, language, height=_TALL if len(clients) > 12 else 4.5)
    axes = canvas.axes
    for row, mine in enumerate(values):
        for column, count in enumerate(mine):
            axes.scatter(row, column, s=400 * count / values.max(), color=COLOURS["federated"])
    axes.set_xlim(-0.7, len(clients) - 0.3)
    axes.set_ylim(len(classes) - 0.3, -0.7)
    axes.set_xlabel(language.translate("client"))
    axes.set_ylabel(language.translate("class"))
    _ticks(axes, clients, "x")
    _ticks(axes, classes, "y")
    caption = language.translate(
        "Training rows by client and class; the area of a dot is their number."
    )
    totals = values.sum(axis=1)
    alt = language.translate(
        "Clients have {least} to {most} training rows.",
        least=language.number(int(totals.min())),
        most=language.number(int(totals.max())),
    )
    return Picture("labels", title, caption, alt, canvas.png())


def reliability(table: pd.DataFrame, language: Language) -> Picture:
    """Draw how often a classifier is right by how sure it is.

    Parameters
    ----------
    table : DataFrame
        Columns `rows`, `confidence_sum`, `hits`, a row a bin.
    language : Language
        Of what is said.
    """
    title = language.translate("Is it right as often as it is sure?")
    there = table[table["rows"] > 0]
    sure, right = there["confidence_sum"] / there["rows"], there["hits"] / there["rows"]
    canvas = Canvas(title, language)
    diagonal = language.translate("as often as it is sure")
    canvas.axes.plot([0, 1], [0, 1], color=GREY, linestyle="--", label=diagonal)
    drawn = language.translate("the federation's model")
    canvas.axes.plot(sure, right, "o-", color=COLOURS["federated"], label=drawn)
    canvas.label(
        x=language.translate("probability that it gives to its answer"),
        y=language.translate("share of right answers"),
        grid="both",
    )
    canvas.percent("x")
    canvas.percent("y")
    canvas.legend()
    caption = language.translate(
        "Test rows of all clients, in bins of how sure the model was. Below the dashed line it is "
        "surer than it should be."
    )
    off = float((there["confidence_sum"] - there["hits"]).abs().sum() / there["rows"].sum())
    alt = language.translate(
        "On average {share} between how sure it is and how often it is right.",
        share=language.percent(off),
    )
    return Picture("reliability", title, caption, alt, canvas.png())


def confident_errors(errors: Sequence[ConfidentError], language: Language) -> Picture:
    """Draw test pictures of which a model was sure, and wrong."""
    title = language.translate("Where was it sure, and wrong?")
    canvas = Canvas(title, language, height=_TALL)
    canvas.axes.set_axis_off()
    across = 6
    down = -(-len(errors) // across)
    grid = canvas.axes.get_subplotspec()
    assert grid is not None, "a canvas has one subplot"
    cells = grid.subgridspec(down, across)
    for place, error in enumerate(errors):
        axes = canvas.figure.add_subplot(cells[place // across, place % across])
        axes.imshow(error.pixels.squeeze(), cmap="gray", vmin=0, vmax=255)
        axes.set_axis_off()
        said = f"{plain(error.true, longest=12)} → {plain(error.taken_for, longest=12)}"
        sure = language.percent(error.probability)
        axes.set_title(f"{said}\n{sure}", fontsize=7.5)
    caption = language.translate(
        "Test pictures of this simulation with the class that they are of, the one that the "
        "federation's model took them for, and how sure it was. A run among clients with pictures "
        "of their own never shows one."
    )
    alt = language.translate(
        "{count} pictures; of the first the model was sure to {share}.",
        count=len(errors),
        share=language.percent(errors[0].probability),
    )
    return Picture("confident-errors", title, caption, alt, canvas.png())


def _name_ticks(axes: Axes, names: Sequence[str]) -> None:
    _ticks(axes, names, "x")
    _ticks(axes, names, "y")


def _ticks(axes: Axes, names: Sequence[str], axis: str) -> None:
    if len(names) > _TICKS_UP_TO:
        return
    labels = [plain(name, longest=14) for name in names]
    if axis == "x":
        long = max(map(len, labels)) > 3
        axes.set_xticks(range(len(names)), labels, rotation=90 if long else 0, fontsize=8)
    else:
        axes.set_yticks(range(len(names)), labels, fontsize=8)
