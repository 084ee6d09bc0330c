"""The report's section on who was in which rounds: only where not all were in each."""

from __future__ import annotations

import json
from pathlib import Path

from glean.evaluation.pages.participation_section import participation_section
from glean.languages.language import ENGLISH, language
from glean.languages.vocabulary import CLIENTS
from glean.runs.events import BakeryNotTrained
from glean.runs.participation import read_participation
from tests.evaluation.made_runs import NAMES, Page, report_of


def in_rounds(folder: Path, stale: int) -> None:
    """All but one of five in round 1, and two in round 2, one of them with an older update."""
    rows = [f'1,"{name}",0' for name in NAMES[:4]]
    rows += [f'2,"{NAMES[0]}",0', f'2,"{NAMES[1]}",{stale}']
    text = "\n".join(["round,bakery,staleness", *rows]) + "\n"
    (folder / "participation.csv").write_text(text, encoding="utf-8")


def test_the_report_says_how_even_it_was(run: Path) -> None:
    """With those who were in no round, and how old updates were."""
    assert "Who took part" not in report_of(run).text
    in_rounds(run, stale=1)
    text = report_of(run).text
    assert "2 rounds were made of 6 updates" in text
    assert "Jain's index says with 0.72: 1 where all are in as many rounds, 0.20 where one" in text
    assert "An update began 0.2 rounds before the one that it is in, on average, and 1 at" in text
    assert "Those in the fewest rounds first." in text


def test_those_that_are_not_learned_from_do_not_count(run: Path) -> None:
    """They couldn't have taken part."""
    in_rounds(run, stale=0)
    left_out = BakeryNotTrained(NAMES[4], "few days").to_row()
    (run / "events.jsonl").write_text(json.dumps(left_out) + "\n", encoding="utf-8")
    text = report_of(run).text
    assert "says with 0.90" in text
    assert "An update began" not in text


def test_names_are_text_and_clients_are_called_so(tmp_path: Path) -> None:
    """In the language of the page and in its workload's words."""
    in_rounds(tmp_path, stale=0)
    found = read_participation(tmp_path, NAMES)
    page = participation_section(found, ENGLISH.in_words_of(CLIENTS))
    assert "<summary>Every client</summary>" in page
    assert "&lt;b&gt;Sons&lt;/b&gt;" in page
    rows = Page(page).text
    assert "young" in rows.split("Corner")[0]  # who was in none comes first
    assert "Wer dabei war" in participation_section(found, language("de"))
