"""Words that only the demand has, wherever a run says something: a page, a card, events."""

from __future__ import annotations

import html
import re
from pathlib import Path

from glean.federation.server.conclusion import conclusion_of
from glean.languages.language import LANGUAGES, LanguageCode, language
from glean.runs.folder import known_events
from glean.runs.index import read_run

_WORDS: dict[LanguageCode, str] = {
    "en": r"\bbaker(?:y|ies)\b|\bbakes?\b|\bsales?\b|\bsold\b|\bdays?\b|\btrading\b|\bwape\b",
    "de": r"bäcke|\bback|verk[aä]uf|tage?\b|\w*tagen\b|\bwape\b",
    "fr": r"boulang|\bvendu|\bventes?\b|\bjours?\b|\bcui[rt]|\bwape\b",
}

_FILES = r"\b[\w.-]+\.(?:csv|json|md|html|npz)\b|\bmin-available-bakeries\b"
"""Names of files and settings, which are the same for all workloads."""


def demand_words(text: str, code: LanguageCode = "en") -> set[str]:
    """Find them in a text, but for names of files and settings."""
    return {word.lower() for word in re.findall(_WORDS[code], re.sub(_FILES, "", text), re.I)}


def report_words(folder: Path, code: LanguageCode) -> set[str]:
    """Find them in a report, its pictures' descriptions too; without the table of settings."""
    workload = str(read_run(folder).settings["workload"])
    page = conclusion_of(workload).report_html(folder, language(code))
    unread = r'src="data:[^"]*"|<style.*?</style>|<details>.*?</details>'
    page = re.sub(unread, "", page, flags=re.DOTALL)
    described = " ".join(re.findall(r'alt="([^"]*)"', page))
    return demand_words(html.unescape(re.sub(r"<[^>]*>", " ", page) + described), code)


def card_words(folder: Path) -> set[str]:
    """Find them on a model's card, but for its table of settings."""
    card = (folder / "model_card.md").read_text(encoding="utf-8")
    return demand_words(card.split("## Settings")[0])


def event_words(folder: Path, code: LanguageCode) -> set[str]:
    """Find them in the sentences of a run's events."""
    says = language(code, read_run(folder).vocabulary)
    events = known_events(folder / "events.jsonl")
    return demand_words(" ".join(event.sentence_in(says) for event in events), code)


def words_of(folder: Path) -> dict[str, set[str]]:
    """Find them in all that a run left for people."""
    found = {"card": card_words(folder)}
    for code in LANGUAGES:
        found |= {f"report {code}": report_words(folder, code)}
        found |= {f"events {code}": event_words(folder, code)}
    return found
