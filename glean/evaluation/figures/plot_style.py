"""Pictures: one drawing style for every figure, from an empty canvas to PNG bytes.

Figures are made without pyplot: no global state, safe in a thread, quick. Colours are those of
Okabe and Ito (2008, "Color Universal Design"), told apart by readers with any colour vision, and
two darker ones for what a bakery makes of the model; a method keeps its colour in all figures.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from glean.installed_packages import check_installed
from glean.languages.language import ENGLISH, Language

if TYPE_CHECKING:  # matplotlib takes over half a second to import: only when something is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = {
    "federated": "#0072B2",
    "start-from": "#D55E00",
    "personalised": "#7F5FA8",
    "chosen": "#003B5C",
    "local": "#E69F00",
    "pooled": "#009E73",
    "weekday-mean": "#CC79A7",
    "last-week": "#56B4E9",
    "best possible": "#000000",
}
GREY = "#8A8A8A"
WIDTH_INCHES = 8.0
HEIGHT_INCHES = 4.5
_DPI = 110
_LONGEST_NAME = 28


@dataclass(frozen=True)
class Picture:
    """A figure that was drawn.

    Parameters
    ----------
    name : str
        File name in `figures/`, without ".png".
    title, caption : str
        Title in the picture, and what is to be seen, in plain words.
    alt : str
        The same in numbers, for readers who don't see the picture.
    png : bytes
        The picture.
    """

    name: str
    title: str
    caption: str
    alt: str
    png: bytes


@dataclass(frozen=True)
class LeftOut:
    """A figure that wasn't drawn, with the reason in one sentence."""

    name: str
    title: str
    reason: str


class Canvas:
    """One figure with a title and one pair of axes.

    Parameters
    ----------
    title : str
        What the figure answers; it is part of the picture, which may be shown without the page.
    language : Language
        How numbers on the axes are written.
    height : float
        Inches; the width is the same for all.
    """

    def __init__(
        self, title: str, language: Language = ENGLISH, *, height: float = HEIGHT_INCHES
    ) -> None:
        self._language = language
        check_installed("matplotlib")
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.figure: Figure = Figure(
            figsize=(WIDTH_INCHES, height), dpi=_DPI, layout="constrained", facecolor="white"
        )
        self._canvas = FigureCanvasAgg(self.figure)
        self.figure.suptitle(
            plain(title, longest=80), x=0.01, ha="left", fontsize=12.5, fontweight="bold"
        )
        self.axes: Axes = self.figure.add_subplot()
        for side in ("top", "right"):
            self.axes.spines[side].set_visible(False)
        self.axes.set_axisbelow(True)
        self.axes.tick_params(labelsize=9.5)

    def label(self, *, x: str, y: str, grid: Literal["x", "y", "both"] = "y") -> None:
        """Name the axes, with units, and draw light grid lines across `grid`."""
        self.axes.set_xlabel(plain(x, longest=90), fontsize=10)
        self.axes.set_ylabel(plain(y, longest=90), fontsize=10)
        self.axes.grid(axis=grid, color="#DDDDDD", linewidth=0.8)

    def percent(self, axis: Literal["x", "y"]) -> None:
        """Write shares of one on an axis as per cent, with as many decimals as its ticks have."""
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        def written(share: float, _: int | None) -> str:
            # Not more digits than binary fractions are true to.
            digits = f"{100 * share:.6g}".partition(".")[2]
            return self._language.percent(share, len(digits))

        chosen = self.axes.xaxis if axis == "x" else self.axes.yaxis
        chosen.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
        chosen.set_major_formatter(FuncFormatter(written))

    def numbers(self) -> None:
        """Write the numbers of the vertical axis as the language does."""
        from matplotlib.ticker import FuncFormatter

        self.axes.yaxis.set_major_formatter(
            FuncFormatter(
                lambda number, _: self._language.shortest_number(float(f"{number:.6g}"), 6)
            )
        )

    def from_zero(self, axis: Literal["x", "y"] = "y") -> None:
        """Begin an axis at zero, with room beyond the highest mark."""
        across = axis == "x"
        highest = float(self.axes.dataLim.x1 if across else self.axes.dataLim.y1)
        end = 1.06 * highest if highest > 0 else 1.0
        if across:
            self.axes.set_xlim(0, end)
        else:
            self.axes.set_ylim(0, end)

    def legend(self, columns: int = 4) -> None:
        """Put the legend above the axes, where it hides nothing."""
        self.axes.legend(
            loc="lower left",
            bbox_to_anchor=(0.0, 1.01),
            ncols=columns,
            frameon=False,
            fontsize=9.5,
            borderaxespad=0.0,
            handlelength=1.8,
        )

    def png(self) -> bytes:
        """Render; the same drawing gives the same bytes."""
        buffer = io.BytesIO()
        with _missing_letters_are_boxes():
            # Not `savefig`, which draws everything twice.
            self._canvas.print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
        return buffer.getvalue()


@contextmanager
def _missing_letters_are_boxes() -> Iterator[None]:
    """Keep quiet about letters that the font lacks; the page's tables show the names in full."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def plain(text: str, *, longest: int = _LONGEST_NAME) -> str:
    """Make a user's name fit for a picture: one line, not too long, no formulas."""
    line = " ".join(text.split())
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    return line.replace("$", r"\$")
