"""Strips of pictures beside what an attack made of an update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glean.evaluation.figures.plot_style import COLOURS, Canvas, Picture
from glean.languages.language import Language

_ACROSS = 8
_ROW_INCHES = 0.95
_NAME_WIDTH = 1.9
"""Of the names at the left, in widths of a picture."""


@dataclass(frozen=True, eq=False)
class Strip:
    """Pictures, and what came out of an update beside each.

    Parameters
    ----------
    name : str
        Of the update.
    originals, out : float64 arrays of shape (pictures, height, width, channels)
        Brightness, black 0 and white 1.
    recovered : bool array of shape (pictures,)
        Those that are framed.
    """

    name: str
    originals: NDArray[np.float64]
    out: NDArray[np.float64]
    recovered: NDArray[np.bool_]


def inversion_strips(name: str, title: str, strips: Sequence[Strip], language: Language) -> Picture:
    """Draw strips one below the other, two lines each.

    Parameters
    ----------
    name : str
        Of the file.
    title : str
        In the picture.
    strips : sequence of Strip
        Of each up to eight pictures.
    language : Language
        Of what is said.
    """
    canvas = Canvas(title, language, height=0.6 + 2 * _ROW_INCHES * len(strips))
    canvas.axes.set_axis_off()
    whole = canvas.axes.get_subplotspec()
    assert whole is not None, "a canvas has one subplot"
    widths = [_NAME_WIDTH] + [1.0] * _ACROSS
    cells = whole.subgridspec(2 * len(strips), 1 + _ACROSS, width_ratios=widths)
    for place, strip in enumerate(strips):
        kinds = (language.translate("learned from"), language.translate("what came out"))
        for below, (kind, pictures) in enumerate(
            zip(kinds, (strip.originals, strip.out), strict=True)
        ):
            row = 2 * place + below
            named = canvas.figure.add_subplot(cells[row, 0])
            named.set_axis_off()
            said = f"{strip.name}\n{kind}" if below == 0 else f"\n{kind}"
            named.text(0.0, 0.5, said, va="center", fontsize=8, transform=named.transAxes)
            for column, picture in enumerate(pictures[:_ACROSS]):
                axes = canvas.figure.add_subplot(cells[row, 1 + column])
                axes.imshow(np.clip(picture.squeeze(), 0.0, 1.0), cmap="gray", vmin=0, vmax=1)
                axes.set_xticks([])
                axes.set_yticks([])
                framed = below == 1 and bool(strip.recovered[column])
                for side in axes.spines.values():
                    side.set_visible(framed)
                    side.set_color(COLOURS["start-from"])
                    side.set_linewidth(2.5)
    caption = language.translate(
        "Of each update two lines: pictures that it was learned from, and beneath them what the "
        "attack made of it that is most like them. A frame stands around what counts as recovered."
    )
    counts = ", ".join(
        language.translate(
            "{name}: {found} of {tried}",
            name=strip.name,
            found=language.number(int(strip.recovered.sum())),
            tried=language.number(len(strip.recovered)),
        )
        for strip in strips
    )
    return Picture(
        name,
        title,
        caption,
        language.translate("Recovered: {counts}.", counts=counts),
        canvas.png(),
    )
