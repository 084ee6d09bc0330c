"""Figures over a count: the error by round, and the error by the size of the federation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import pandas as pd

from glean.evaluation.figures.plot_style import COLOURS, GREY, Canvas, LeftOut, Picture
from glean.evaluation.tables.choices import WITHOUT_FEDERATION
from glean.evaluation.tables.headline import of_what
from glean.evaluation.tables.results import RunResults
from glean.evaluation.tables.run_outline import RunOutline
from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.languages.vocabulary import Worded
from glean.metric_sums import metric_label

_SINGLE_LINES_UP_TO = 12
"""Beyond this many bakeries their own lines would hide the federation's."""

_SCORED = Worded(
    translatable(
        "Error of the shared model on each bakery's validation days, which no model was fitted to "
        "while the rounds went on. Lower is better; {kept}."
    ),
    translatable(
        "Error of the shared model on each client's validation rows, which no model was fitted to "
        "while the rounds went on. Lower is better; {kept}."
    ),
)
_SCORED_WITH_NOISE = Worded(
    translatable(
        "Error of the shared model on the validation days, the mean over the bakeries, with noise "
        "of a standard deviation of {noise}. Lower is better; the last model was kept."
    ),
    translatable(
        "Error of the shared model on the validation rows, the mean over the clients, with noise "
        "of a standard deviation of {noise}. Lower is better; the last model was kept."
    ),
)
_NOTHING_LEARNED = Worded(
    translatable("the model of round 0, before any bakery had learned, was kept"),
    translatable("the model of round 0, before any client had learned, was kept"),
)
_ONE_BY_ONE = Worded(
    translatable("Grey: the bakeries one by one."), translatable("Grey: the clients one by one.")
)
_SINGLE = Worded(translatable("single bakeries"), translatable("single clients"))
_TOGETHER = Worded(translatable("all bakeries together"), translatable("all clients together"))

NOTHING_BESIDE: Mapping[str, float] = MappingProxyType({})


def learning_curve(
    outline: RunOutline,
    language: Language,
    *,
    metric: str,
    axis: str,
    share: bool,
    beside: Mapping[str, float] = NOTHING_BESIDE,
) -> Picture | LeftOut:
    """Draw a metric on the validation rows by round, with the round whose model was kept.

    Parameters
    ----------
    outline : RunOutline
        How the run went.
    language : Language
        Of what is said.
    metric : str
        The metric, a column of `rounds.csv`; lower is better.
    axis : str
        Label of its axis.
    share : bool
        Whether the metric is a share, shown in per cent.
    beside : mapping of str to float
        Method of `WITHOUT_FEDERATION` -> its error on the same days.
    """
    language = language.in_words_of(outline.run.vocabulary)
    name, title = "learning-curve", language.translate("Does the federation learn?")
    if outline.rounds is None or outline.rounds[metric].notna().sum() == 0:
        reason = language.translate("No round of this run has a validation score.")
        return LeftOut(name, title, reason)
    rounds = outline.rounds.dropna(subset=[metric])
    told = outline.run.facts.get("best_round")
    best = _best_round(rounds, told, metric)
    best_value = float(rounds.loc[rounds["round"] == best, metric].iloc[0])

    def show(value: float) -> str:
        return language.percent(value) if share else language.number(value, 4)

    canvas = Canvas(title, language)
    noise = outline.run.facts.get("score_noise")
    sentences = [
        language.translate(_SCORED_WITH_NOISE, noise=show(noise))
        if isinstance(noise, float)
        else language.translate(_SCORED, kept=_kept(told, best, language))
    ]
    if (rounds["round"] == 0).any():
        sentences.append(language.translate("Round 0 is the model that the run started from."))
    if _draw_bakeries(canvas, outline.bakery_rounds, metric, language):
        sentences.append(language.translate(_ONE_BY_ONE))
    _draw_federation(
        canvas, rounds, metric, best, language, told=_marked(told, best, show(best_value), language)
    )
    _draw_beside(canvas, beside, language)
    _finish(canvas, language, axis=axis, share=share)
    alt = _in_numbers(rounds, metric, best, show, language)
    return Picture(name, title, " ".join(sentences), alt, canvas.png())


def _draw_beside(canvas: Canvas, beside: Mapping[str, float], language: Language) -> None:
    for method, error in beside.items():
        label = language.translate(WITHOUT_FEDERATION[method])
        canvas.axes.axhline(error, color=COLOURS[method], linestyle="--", label=label)


def _finish(canvas: Canvas, language: Language, *, axis: str, share: bool) -> None:
    canvas.label(x=language.translate("round"), y=axis)
    if share:
        canvas.percent("y")
    else:
        canvas.numbers()
    canvas.from_zero()
    _whole_numbers(canvas)
    canvas.legend()


def _in_numbers(
    rounds: pd.DataFrame,
    metric: str,
    best: int,
    show: Callable[[float], str],
    language: Language,
) -> str:
    values = dict(zip(rounds["round"].astype(int), rounds[metric], strict=True))
    first, last = int(rounds["round"].iloc[0]), int(rounds["round"].iloc[-1])
    return language.translate(
        "Line of the validation {metric} by round: {first} in round {first_round}, {last} in round "
        "{last_round}, best {best} in round {best_round}.",
        metric=language.gettext(metric_label(metric)),
        first=show(values[first]),
        first_round=first,
        last=show(values[last]),
        last_round=last,
        best=show(values[best]),
        best_round=best,
    )


def _marked(told: Any, best: int, value: str, language: Language) -> str:
    said = (
        translatable("kept: round {round}, {value}")
        if told == best
        else translatable("lowest: round {round}, {value}")
    )
    return language.translate(said, round=best, value=value)


def federation_size_curve(results: RunResults, language: Language) -> Picture | LeftOut:
    """WAPE on the same fixed bakeries by the number of bakeries in the federation."""
    name, title = "growth", language.translate("Does it get better as more join?")
    if results.growth is None or results.growth["wape_federated"].notna().sum() == 0:
        return LeftOut(
            name,
            title,
            language.translate(
                "The error by number of bakeries in the federation wasn't measured in this run "
                "(there is no growth.csv)."
            ),
        )
    sizes = results.growth.astype({"bakeries": int}).sort_values("bakeries")
    canvas = _size_canvas(sizes, title, language)
    canvas.label(
        x=language.translate("bakeries in the federation (logarithmic scale)"),
        y=f"WAPE (% {of_what(results.units_label, language)})",
    )
    caption = language.translate(
        "Test error over the same bakeries each time, in federations of growing size. Where the "
        "blue line falls, a larger federation serves them better, taken together."
    )
    pairs = zip(sizes["bakeries"].tolist(), sizes["wape_federated"].tolist(), strict=True)
    alt = language.translate(
        "WAPE in the federation by number of bakeries: {sizes}.",
        sizes=", ".join(f"{size}: {language.percent(wape)}" for size, wape in pairs),
    )
    return Picture(name, title, caption, alt, canvas.png())


def _size_canvas(sizes: pd.DataFrame, title: str, language: Language) -> Canvas:
    canvas = Canvas(title, language)
    for column, method, label, style in (
        ("wape_federated", "federated", translatable("in the federation"), "o-"),
        ("wape_local", "local", translatable("each alone (local)"), "s--"),
        (
            "wape_weekday_mean",
            "weekday-mean",
            translatable("the mean of the last four same weekdays"),
            ":",
        ),
    ):
        canvas.axes.plot(
            sizes["bakeries"],
            sizes[column],
            style,
            color=COLOURS[method],
            label=language.translate(label),
            linewidth=2.2 if method == "federated" else 1.6,
            markersize=5,
        )
    ticks = sizes["bakeries"].tolist()
    canvas.axes.set_xscale("log", base=2)
    canvas.axes.set_xticks(ticks, labels=[str(tick) for tick in ticks])
    canvas.axes.minorticks_off()
    canvas.percent("y")
    canvas.from_zero()
    canvas.legend(columns=3)
    return canvas


def _best_round(rounds: pd.DataFrame, told: Any, metric: str) -> int:
    """Round that run.json names, or the one with the lowest error."""
    if isinstance(told, int) and bool((rounds["round"] == told).any()):
        return told
    return int(rounds["round"].to_numpy()[rounds[metric].to_numpy().argmin()])


def _kept(told: Any, best: int, language: Language) -> str:
    """Say which round's model was kept, and where it has no score."""
    if not isinstance(told, int) or told == best:
        return language.translate("the model of round {round} was kept", round=best)
    if told == 0:
        return language.translate(_NOTHING_LEARNED)
    return language.translate(
        "the model of round {round} was kept, which nobody could score", round=told
    )


def _draw_bakeries(
    canvas: Canvas, bakery_rounds: pd.DataFrame | None, metric: str, language: Language
) -> bool:
    if bakery_rounds is None or bakery_rounds.empty:
        return False
    if bakery_rounds["bakery"].nunique() > _SINGLE_LINES_UP_TO:
        return False
    label: str | None = language.translate(_SINGLE)
    for _, rows in bakery_rounds.sort_values("round").groupby("bakery"):
        canvas.axes.plot(
            rows["round"], rows[metric], color=GREY, alpha=0.55, linewidth=1.0, label=label
        )
        label = None
    return True


def _draw_federation(
    canvas: Canvas,
    rounds: pd.DataFrame,
    metric: str,
    best: int,
    language: Language,
    *,
    told: str,
) -> None:
    blue = COLOURS["federated"]
    canvas.axes.plot(
        rounds["round"],
        rounds[metric],
        "o-",
        color=blue,
        linewidth=2.4,
        markersize=4,
        label=language.translate(_TOGETHER),
    )
    canvas.axes.plot(
        best,
        float(rounds.loc[rounds["round"] == best, metric].iloc[0]),
        "o",
        markersize=12,
        markerfacecolor="none",
        markeredgecolor="black",
        markeredgewidth=1.6,
        linestyle="none",
        label=told,
    )


def _whole_numbers(canvas: Canvas) -> None:
    from matplotlib.ticker import MaxNLocator

    canvas.axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=12))
