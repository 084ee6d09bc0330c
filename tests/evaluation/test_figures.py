"""The figures of a run: all of them, large enough, and true to the files."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from glean.evaluation.figures.days import wape_by_weekday
from glean.evaluation.figures.plot_style import Canvas, plain
from glean.evaluation.tables.results import read_results
from tests.evaluation.made_runs import FIGURES, Page, made_run, report_of, score_file


def png_size(path: Path) -> tuple[int, int]:
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    return int(width), int(height)


def test_a_complete_run_has_all_figures(five: Path) -> None:
    """All six pictures lie beside the page, large enough for a browser, and nothing else does."""
    drawn = {path.stem: png_size(path) for path in (five / "figures").iterdir()}
    assert set(drawn) == FIGURES
    assert all(width == 880 and height >= 300 for width, height in drawn.values())
    assert sorted(path.name for path in five.glob(".*")) == []


def test_pictures_are_told_in_words_too(five: Path) -> None:
    """Every picture has an alt text with numbers for those who can't see it."""
    page = Page((five / "report.html").read_text(encoding="utf-8"))
    texts = [value for name, value in page.attributes if name == "alt"]
    assert len(texts) == len(FIGURES)
    assert all(any(letter.isdigit() for letter in text) for text in texts)
    assert "1: 24.0%, 2: 21.0%, 5: 19.2%" in "".join(texts)


def test_many_bakeries_are_a_scatter(tmp_path: Path) -> None:
    """Beyond forty bakeries each is a point, one with a huge error included, and the page holds."""
    folder = made_run(tmp_path / "many", 60, days=14, best=False)
    scores = score_file(folder)
    scores.loc[scores["bakery"] == "007", "wape"] *= 20
    scores.to_csv(folder / "bakeries.csv", index=False)
    text = report_of(folder, drawn=True).text
    assert "One point a bakery" in text
    assert "1 with a larger error stands at the edge" in text


def test_weekday_errors_agree_with_a_plain_loop(five: Path) -> None:
    """WAPE by weekday equals the sum over that weekday's rows; a closed Sunday isn't there."""
    forecasts = read_results(five).forecasts
    assert forecasts is not None
    table = wape_by_weekday(forecasts)
    assert table.index.tolist() == [0, 1, 2, 3, 4, 5]
    for day in table.index.tolist():
        error, units = 0.0, 0.0
        for row in forecasts.to_dict("records"):
            if row["date"].day_of_week == day:
                error += abs(row["pooled"] - row["units"])
                units += row["units"]
        assert table.loc[day, "pooled"] == pytest.approx(error / units)


@pytest.mark.parametrize("name", ["50 $ each $", "面包 🥐", "x" * 500, "a_{b}^c", "two\nlines\t!"])
def test_any_name_can_be_drawn(name: str) -> None:
    """No name of a user is read as a formula, warns about the font or bursts the picture."""
    canvas = Canvas(name)
    canvas.axes.set_yticks([0], labels=[plain(name)])
    canvas.label(x=name, y="units")
    assert canvas.png().startswith(b"\x89PNG")


@pytest.mark.parametrize("highest", [0.003, 0.02, 0.09, 0.18, 0.3, 1.4])
def test_the_numbers_on_an_axis_are_where_its_ticks_are(highest: float) -> None:
    """None is rounded, so that equal steps on paper are equal in numbers."""
    canvas = Canvas("error")
    canvas.axes.plot([0, 1], [highest / 2, highest])
    canvas.percent("y")
    canvas.from_zero()
    canvas.png()
    ticks = canvas.axes.get_yticks()
    shown = [float(label.get_text().removesuffix("%")) for label in canvas.axes.get_yticklabels()]
    assert shown == pytest.approx((100 * ticks).tolist())
    assert len(ticks) > 3
    assert canvas.axes.get_ylim()[0] == 0
    assert canvas.axes.get_ylim()[1] > highest
