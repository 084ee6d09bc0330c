"""What was wrong with an export, told in the language of who reads it."""

from __future__ import annotations

import html
import re

import pytest
from starlette.testclient import TestClient

from glean.languages.language import language
from glean.shop.parts import Shop
from glean.shop.plans.told_problems import line_in
from tests.shop.conftest import NOW

HEADER = "Datum;Artikel;Menge\n"
DAY = f"{NOW:%d.%m.%Y}"

# The page has a dash where "-" stands here.
FAILURES: dict[str, tuple[str, list[str]]] = {
    "no day": (
        "Artikel;Menge\nBrot;3\n",
        ["Gefunden: die Spalten Artikel, Menge; nötig: eine Spalte mit den Tagen, wie Datum (bei "
         "`glean data import`: --date)"],
    ),
    "cells": (
        f"{HEADER}{DAY};Brot;viele\n32.11.2026;Brot;3\n{DAY};;4\n",
        ["Zeile 2, Spalte 'Menge' - gefunden: 'viele'; nötig: eine Zahl mit Dezimalpunkt, wie 12.5",
         "Zeile 3, Spalte 'Datum' - gefunden: '32.11.2026'; nötig: ein Datum: Tag, Monat, Jahr; "
         "diesen Tag gibt es nicht",
         "Zeile 4, Spalte 'Artikel' - gefunden: nichts; nötig: der Name eines Produkts"],
    ),
    "no lines": (
        HEADER,
        ["Gefunden: eine Kopfzeile und keine Zeilen; nötig: mindestens eine Zeile"],
    ),
    "empty": ("", ["Gefunden: eine leere Datei; nötig: eine Kopfzeile und Zeilen darunter"]),
    "ragged": (
        f"{HEADER}{DAY};Brot;3\n{DAY};Brot\n",
        [f"Zeile 3 - gefunden: 2 Werte ('{DAY} | Brot'); nötig: 3 Werte, wie in der Kopfzeile; "
         "keiner darf fehlen"],
    ),
    "totals": (
        f"{HEADER}{DAY};Brot;3\n{DAY};Summe;3\n",
        ["Zeile 3 - gefunden: 1 Zeile namens 'Summe': Summen zwischen den Produkten; nötig: nur "
         "Zeilen von Produkten; bei `glean data import` lässt --totals drop die anderen weg, "
         "--totals keep nimmt sie als Produkte"],
    ),
}  # fmt: skip
"""An export -> what is told of it in German."""


@pytest.mark.parametrize("case", FAILURES)
def test_ordinary_failures_are_told_in_german(client: TestClient, shop: Shop, case: str) -> None:
    """Without the file's name, which stands above, and with no path of the computer."""
    text = FAILURES[case][0]
    told = [line.replace(" - ", " \N{EN DASH} ") for line in FAILURES[case][1]]
    shop.till.hand_in("kasse.csv", text.encode())
    (export,) = shop.exports.last(1)
    assert [line_in(line, language("de")) for line in export.told["lines"]] == told
    client.cookies.set("glean-language", "de")
    shown = re.findall(r"<li>(.*?)</li>", client.get("/exports").text)
    assert [html.unescape(line) for line in shown if "nötig" in line][-len(told) :] == told


@pytest.mark.parametrize("case", FAILURES)
def test_no_word_of_english_is_left(shop: Shop, case: str) -> None:
    """Nor in French; and English is as the command line says it."""
    shop.till.hand_in("kasse.csv", FAILURES[case][0].encode())
    (export,) = shop.exports.last(1)
    for line in export.told["lines"]:
        assert len(set(line.values())) == 3
        for code in ("de", "fr"):
            assert not re.search(r"\b(found|wanted|the|line|column|of|nothing)\b", line[code])


def test_a_table_that_would_lose_something_is_told_too(shop: Shop) -> None:
    """An error that is no list of problems comes from the worker with its sentence."""
    rows = shop.settings.sales.read_text("utf-8").splitlines()
    noted = [f"{row},{'note' if number == 0 else 'x'}" for number, row in enumerate(rows)]
    shop.settings.sales.write_text("\n".join(noted) + "\n", "utf-8")
    shop.till.hand_in("kasse.csv", f"{HEADER}{DAY};Brot;3\n".encode())
    (export,) = shop.exports.last(1)
    (line,) = export.told["lines"]
    assert line_in(line, language("de")) == (
        "sales.csv hat weitere Textspalten (note), die verloren gingen; nötig ist eine Tabelle "
        "ohne sie: `glean data import` schreibt eine"
    )


def test_lines_of_before_stay_english() -> None:
    assert line_in("found this; wanted that", language("de")) == "found this; wanted that"
