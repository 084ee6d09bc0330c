"""What every report has: how the run ended, what went wrong, when and how it was run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from glean.evaluation.figures.plot_style import LeftOut, Picture
from glean.evaluation.pages import html
from glean.evaluation.pages.participation_section import participation_section
from glean.evaluation.tables.run_outline import RunOutline
from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.languages.vocabulary import Worded
from glean.runs.folder import write_whole
from glean.runs.model_card import CARD_PAGE

_TITLES = {
    "completed": translatable("What the federation did"),
    "failed": translatable("This run failed"),
}
_UNFINISHED = translatable("This run is not finished")

_FAILED = Worded(
    translatable("Bakeries that failed in a round"), translatable("Clients that failed in a round")
)
_GIVEN_UP = Worded(
    translatable("Sums and trees that were given up"),
    translatable("Sums and rounds that were given up"),
)
_LACKING = Worded(
    translatable("Bakeries with too few days to learn from"),
    translatable("Clients with too few rows to learn from"),
)
_PARTNERS = Worded(translatable("bakeries"), translatable("clients"))
_SENT = Worded(
    translatable("sent to the bakeries and back"), translatable("sent to the clients and back")
)


@dataclass(frozen=True)
class ReportPage:
    """A report that was made, and isn't written yet.

    Parameters
    ----------
    html : str
        The whole page.
    figures : tuple of Picture or LeftOut
        Its pictures, and those that it doesn't have.
    """

    html: str
    figures: tuple[Picture | LeftOut, ...]

    def write(self, folder: Path) -> Path:
        """Write pictures and `report.html` into a run's folder, each as a whole; its path."""
        _write_figures(folder / "figures", self.figures)
        path = folder / "report.html"
        write_whole(path, self.html.encode("utf-8"))
        return path


def make_page(
    outline: RunOutline,
    result: Iterable[str],
    figures: Iterable[Picture | LeftOut],
    language: Language,
    *,
    glossary: Iterable[tuple[str, str]],
) -> ReportPage:
    """Make the report of a run.

    Parameters
    ----------
    outline : RunOutline
        How the run went.
    result : iterable of str
        HTML of what the run came to, which stands first.
    figures : iterable of Picture or LeftOut
        Pictures, and the reasons why others aren't there.
    language : Language
        Of the page.
    glossary : iterable of (str, str)
        Words and what they mean.
    """
    language = language.in_words_of(outline.run.vocabulary)
    figures = tuple(figures)
    return ReportPage(_page(outline, result, figures, language, glossary), figures)


def _page(
    outline: RunOutline,
    result: Iterable[str],
    figures: Iterable[Picture | LeftOut],
    language: Language,
    glossary: Iterable[tuple[str, str]],
) -> str:
    _ = language.translate
    drawn = [item for item in figures if isinstance(item, Picture)]
    left_out = [item for item in figures if isinstance(item, LeftOut)]
    return html.whole_page(
        f"Glean: {_(_TITLES.get(outline.run.status, _UNFINISHED))}",
        [
            _status(outline, language),
            html.paragraph(outline.caution, kind="warning"),
            *result,
            html.section(_("Pictures"), [html.figure(picture) for picture in drawn]),
            html.section(
                _("Pictures that this run doesn't have"),
                [html.bullets(f"{item.title} {item.reason}" for item in left_out)],
            ),
            participation_section(outline.participation, language),
            html.section(_(_FAILED), [_failures(outline, language)]),
            html.section(_(_GIVEN_UP), [_given_up(outline, language)]),
            html.section(_(_LACKING), [_left_out(outline, language)]),
            html.section(_("What the words mean"), [html.definitions(glossary)]),
            html.section(
                _("The run"), [run_facts(outline, language), settings_table(outline, language)]
            ),
        ],
        language,
    )


def _status(outline: RunOutline, language: Language) -> str:
    if outline.run.status == "completed":
        return ""
    if outline.run.status == "failed":
        nothing = language.translate("No reason was written down.")
        return html.paragraph(outline.run.reason or nothing, kind="failure")
    words = language.translate("What follows is what there was when it was read.")
    return html.paragraph(words, kind="warning")


def _failures(outline: RunOutline, language: Language) -> str:
    if not outline.failures:
        none = html.paragraph(language.translate("None."))
        return none if outline.run.status == "completed" else ""
    return html.bullets(
        language.translate(
            "Round {round}, {event}", round=event.round, event=event.sentence_in(language)
        )
        for event in outline.failures
    )


def _given_up(outline: RunOutline, language: Language) -> str:
    return html.bullets(
        language.translate(
            "Round {round}: {event}", round=event.round, event=event.sentence_in(language)
        )
        for event in outline.given_up
    )


def _left_out(outline: RunOutline, language: Language) -> str:
    return html.bullets(
        language.translate("Left out of training: {event}", event=event.sentence_in(language))
        for event in outline.left_out
    )


def run_facts(outline: RunOutline, language: Language) -> str:
    """When and how the run went."""
    facts, _ = outline.run.facts, language.translate
    bakeries = facts.get("bakeries")
    newcomers = facts.get("newcomers")
    rate = facts.get("learning_rate")
    pairs = [
        (_("started"), _moment(facts.get("start"), language)),
        (_("took"), _duration(facts.get("start"), facts.get("end"), language)),
        (_("engine"), facts.get("engine")),
        (_(_PARTNERS), len(bakeries) if isinstance(bakeries, list) else bakeries),
        (_("cut to newcomers"), ", ".join(map(str, newcomers)) if newcomers else None),
        (_("started from"), outline.run.settings.get("start-from")),
        (_("resumed from"), _resumed(facts, language)),
        (
            _("rounds"),
            None if outline.rounds is None else int((outline.rounds["round"] > 0).sum()),
        ),
        (_("round that was kept"), facts.get("best_round")),
        (
            _("learning rate used"),
            language.shortest_number(rate, 6) if isinstance(rate, float) else rate,
        ),
        (_(_SENT), _traffic(outline.rounds, language)),
        (_("card of the model"), _card(outline.run.folder, language)),
        (_("seed"), facts.get("seed")),
        (_("versions"), _versions(facts.get("versions"))),
    ]
    return html.definitions((name, str(value)) for name, value in pairs if value not in (None, ""))


def settings_table(outline: RunOutline, language: Language) -> str:
    """Every setting of the run, as they are typed."""
    settings = outline.run.settings
    rows = [[key, '""' if value == "" else str(value)] for key, value in settings.items()]
    heads = [language.translate("key"), language.translate("value")]
    table = html.table(language.translate("Run config."), heads, rows)
    return html.folded(language.translate("All settings"), table)


def _card(folder: Path, language: Language) -> str:
    if not (folder / CARD_PAGE).is_file():
        return ""
    return language.translate("{file}, beside this page", file=CARD_PAGE)


def _resumed(facts: Mapping[str, Any], language: Language) -> str:
    if not facts.get("resumed_from"):
        return ""
    return language.translate(
        "{run}, after round {round}",
        run=facts["resumed_from"],
        round=facts.get("resumed_round") or 0,
    )


def _moment(text: Any, language: Language) -> str:
    return "" if _parsed(text) is None else language.moment(str(text))


def _duration(start: Any, end: Any, language: Language) -> str:
    first, last = _parsed(start), _parsed(end)
    if first is None or last is None:
        return ""
    return f"{language.number((last - first).total_seconds(), 1)} s"


def _parsed(text: Any) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _traffic(rounds: pd.DataFrame | None, language: Language) -> str:
    if rounds is None or not {"bytes_down", "bytes_up"} <= set(rounds.columns):
        return ""
    unit = language.translate("MB")
    down, up = (
        f"{language.number(float(rounds[name].sum()) / 1e6, 2)} {unit}"
        for name in ("bytes_down", "bytes_up")
    )
    return language.listed([down, up])


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
