"""Sentences that have a form for bakeries and one for clients, by a language's vocabulary."""

from __future__ import annotations

import ast
import re
from copy import copy
from pathlib import Path

import pytest

import glean
from glean.languages.language import LANGUAGES, Language, LanguageCode, language
from glean.languages.vocabulary import BAKERIES, CLIENTS, Vocabulary, Worded
from glean.runs.events import KINDS, RunStarted
from glean.runs.phase_events import Phase, PhaseStarted
from glean.workloads import DEFAULT_WORKLOAD, WORKLOADS, vocabulary_of
from tests.demand_words import demand_words

TEXT = Worded("waiting for bakeries: {present} of {wanted}", "waiting for clients: {present}")

OF_DAYS = ("waiting_for_bakeries", "round_taken_back", "first_model_better")
"""Kinds of events whose sentence differs."""


def said_of_events(says: Language) -> dict[str, str]:
    """What each kind of event says, with the fields' names where their values stand."""
    said = {kind: says.gettext(event.words) for kind, event in KINDS.items() if event.words}
    said |= {phase: PhaseStarted(phase).sentence_in(says) for phase in Phase}
    return said | {"run_started": RunStarted(("A", "B"), 2).sentence_in(says)}


def without_fields(text: str) -> str:
    return text.replace("{bakery}", "")


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_event_speaks_of_bakeries_to_clients(code: LanguageCode) -> None:
    """In any language; in the words of bakeries those of which it is known do."""
    for kind, text in said_of_events(language(code, CLIENTS)).items():
        assert demand_words(without_fields(text), code) == set(), kind
    of_bakeries = said_of_events(language(code, BAKERIES))
    for kind in (*OF_DAYS, "run_started", *(phase for phase in Phase if phase != Phase.REPORT)):
        assert demand_words(without_fields(of_bakeries[kind]), code), kind


def test_a_language_says_the_form_of_its_vocabulary() -> None:
    """The one of bakeries unless told otherwise, and whatever else there is as it is."""
    for says, wanted in (
        (language("en"), "waiting for bakeries: 1 of 2"),
        (language("en", CLIENTS), "waiting for clients: 1"),
        (language("de").in_words_of(BAKERIES), "wartet auf Bäckereien: 1 von 2"),
    ):
        assert says.translate(TEXT, present=1, wanted=2) == wanted
    assert language("fr").in_words_of(CLIENTS) is language("fr", CLIENTS)
    assert language("de", CLIENTS).gettext("None.") == language("de").gettext("None.") != "None."


@pytest.mark.parametrize("text", [TEXT, copy(TEXT)], ids=["here", "elsewhere"])
def test_a_worded_text_is_the_one_of_bakeries(text: Worded) -> None:
    """To whoever knows nothing of vocabularies, and where it was handed to another process."""
    assert text == "waiting for bakeries: {present} of {wanted}"
    assert text.said_with(CLIENTS) == "waiting for clients: {present}"
    assert type(text.said_with(BAKERIES)) is str


@pytest.mark.parametrize(
    ("workload", "wanted"),
    [
        (DEFAULT_WORKLOAD, BAKERIES),
        ("", BAKERIES),
        (None, BAKERIES),
        ("iris", CLIENTS),
        ("images", CLIENTS),
        ("of a later version", CLIENTS),
    ],
)
def test_bakeries_are_the_demand_s(workload: str | None, wanted: Vocabulary) -> None:
    """Also of runs that don't name their workload; all others have clients."""
    assert vocabulary_of(workload) == wanted
    assert [name for name, row in WORKLOADS.items() if row.vocabulary == BAKERIES] == ["demand"]


def sentences_of(path: Path) -> list[str]:
    """Texts of a module that can be said: several words, no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unsaid = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node not in unsaid and isinstance(node.value, str)
        if " " in node.value
    ]


OF_THE_DEMAND = (
    "one bakery's day of training records",  # unit of the demand's noise, on its models' cards
    "bakeries ",  # key of an array in files of checkpoints
    "bakery: found ",  # keys of node configs, or options
    " is complete; wanted a new bakery by --member or --bakery",
)


@pytest.mark.parametrize("room", ["federation", "aggregation", "privacy", "images"])
def test_what_all_workloads_share_speaks_of_no_bakeries(room: str) -> None:
    """Refusals, errors and logs: said without a name for who takes part, or in the run's words."""
    paths = sorted((Path(glean.__file__).parent / room).rglob("*.py"))
    assert paths
    settings = r"min-available-bakeries|node config bakery"
    for path in paths:
        for text in sentences_of(path):
            said = re.sub(settings, "", text)
            assert text in OF_THE_DEMAND or not re.search(r"\bbaker(y|ies)\b", said), (path, text)
