"""What every report has: how the run ended, what went wrong, when and how it was run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from glean.evaluation.figures.plot_style import LeftOut, Picture
from glean.evaluation.pages import html
from glean.evaluation.tables.run_outline import RunOutline
from glean.runs.folder import write_whole
from glean.runs.model_card import CARD_PAGE


def write_page(
    outline: RunOutline,
    result: Iterable[str],
    figures: Iterable[Picture | LeftOut],
    *,
    glossary: Iterable[tuple[str, str]],
    lacking: str = "too few days",
) -> Path:
    """Write a run's pictures and its `report.html`, each as a whole.

    Parameters
    ----------
    outline : RunOutline
        How the run went.
    result : iterable of str
        HTML of what the run came to, which stands first.
    figures : iterable of Picture or LeftOut
        Pictures, and the reasons why others aren't there.
    glossary : iterable of (str, str)
        Words and what they mean.
    lacking : str
        What a bakery has that isn't learned from.

    Returns
    -------
    Path
        Of `report.html`.
    """
    figures = tuple(figures)
    folder = outline.run.folder
    _write_figures(folder / "figures", figures)
    path = folder / "report.html"
    write_whole(path, _page(outline, result, figures, glossary, lacking).encode("utf-8"))
    return path


def _page(
    outline: RunOutline,
    result: Iterable[str],
    figures: Iterable[Picture | LeftOut],
    glossary: Iterable[tuple[str, str]],
    lacking: str,
) -> str:
    drawn = [item for item in figures if isinstance(item, Picture)]
    left_out = [item for item in figures if isinstance(item, LeftOut)]
    title = {"completed": "What the federation did", "failed": "This run failed"}
    return html.whole_page(
        f"Glean: {title.get(outline.run.status, 'This run is not finished')}",
        [
            _status(outline),
            html.paragraph(outline.caution, kind="warning"),
            *result,
            html.section("Pictures", [html.figure(picture) for picture in drawn]),
            html.section(
                "Pictures that this run doesn't have",
                [html.bullets(f"{item.title} {item.reason}" for item in left_out)],
            ),
            html.section("Bakeries that failed in a round", [_failures(outline)]),
            html.section("Sums and trees that were given up", [_given_up(outline)]),
            html.section(f"Bakeries with {lacking} to learn from", [_left_out(outline)]),
            html.section("What the words mean", [html.definitions(glossary)]),
            html.section("The run", [run_facts(outline), settings_table(outline)]),
        ],
    )


def _status(outline: RunOutline) -> str:
    if outline.run.status == "completed":
        return ""
    if outline.run.status == "failed":
        return html.paragraph(outline.run.reason or "No reason was written down.", kind="failure")
    return html.paragraph("What follows is what there was when it was read.", kind="warning")


def _failures(outline: RunOutline) -> str:
    if not outline.failures:
        return html.paragraph("None.") if outline.run.status == "completed" else ""
    return html.bullets(f"Round {event.round}, {event.sentence}" for event in outline.failures)


def _given_up(outline: RunOutline) -> str:
    return html.bullets(f"Round {event.round}: {event.sentence}" for event in outline.given_up)


def _left_out(outline: RunOutline) -> str:
    return html.bullets(f"Left out of training: {event.sentence}" for event in outline.left_out)


def run_facts(outline: RunOutline) -> str:
    """When and how the run went."""
    facts = outline.run.facts
    bakeries = facts.get("bakeries")
    newcomers = facts.get("newcomers")
    pairs = [
        ("started", _moment(facts.get("start"))),
        ("took", _duration(facts.get("start"), facts.get("end"))),
        ("engine", facts.get("engine")),
        ("bakeries", len(bakeries) if isinstance(bakeries, list) else bakeries),
        ("cut to newcomers", ", ".join(map(str, newcomers)) if newcomers else None),
        ("started from", outline.run.settings.get("start-from")),
        ("resumed from", _resumed(facts)),
        ("rounds", None if outline.rounds is None else int((outline.rounds["round"] > 0).sum())),
        ("round that was kept", facts.get("best_round")),
        ("learning rate used", facts.get("learning_rate")),
        ("sent to the bakeries and back", _traffic(outline.rounds)),
        ("card of the model", _card(outline.run.folder)),
        ("seed", facts.get("seed")),
        ("versions", _versions(facts.get("versions"))),
    ]
    return html.definitions((name, str(value)) for name, value in pairs if value not in (None, ""))


def settings_table(outline: RunOutline) -> str:
    """Every setting of the run."""
    settings = outline.run.settings
    rows = [[key, '""' if value == "" else str(value)] for key, value in settings.items()]
    return html.folded("All settings", html.table("Run config.", ["key", "value"], rows))


def _card(folder: Path) -> str:
    return f"{CARD_PAGE}, beside this page" if (folder / CARD_PAGE).is_file() else ""


def _resumed(facts: Mapping[str, Any]) -> str:
    if not facts.get("resumed_from"):
        return ""
    return f"{facts['resumed_from']}, after round {facts.get('resumed_round') or 0}"


def _moment(text: Any) -> str:
    moment = _parsed(text)
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} {moment.tzname() or ''}".strip()


def _duration(start: Any, end: Any) -> str:
    first, last = _parsed(start), _parsed(end)
    if first is None or last is None:
        return ""
    return f"{(last - first).total_seconds():.1f} s"


def _parsed(text: Any) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _traffic(rounds: pd.DataFrame | None) -> str:
    if rounds is None or not {"bytes_down", "bytes_up"} <= set(rounds.columns):
        return ""
    down, up = (float(rounds[name].sum()) / 1e6 for name in ("bytes_down", "bytes_up"))
    return f"{down:.2f} MB and {up:.2f} MB"


def _versions(versions: Any) -> str:
    if not isinstance(versions, dict):
        return ""
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _write_figures(folder: Path, figures: Iterable[Picture | LeftOut]) -> None:
    folder.mkdir(exist_ok=True)
    for item in figures:
        path = folder / f"{item.name}.png"
        if isinstance(item, Picture):
            write_whole(path, item.png)
        else:
            path.unlink(missing_ok=True)  # left by an earlier report of the same run
