"""The data check in German and French: every kind of remark, and the verdict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from glean.languages.language import ENGLISH, LanguageCode, language
from glean.operations.tables.remarks import remarks_of
from glean.operations.tables.table_check import next_step, verdict
from glean.sales.quality.data_check import examine
from glean.sales.quality.health import Report
from tests.operations.remarked_tables import TABLES, TODAY
from tests.sales.quality.sales_weeks import file_of, sales

NARROW = "\u202f"
HARD = "\u00a0"


def looked_at(folder: Path, rows: pd.DataFrame) -> Report:
    return examine(file_of(folder, rows), today=TODAY)


GERMAN = {
    "short": "Young: eine kurze Vorgeschichte von 5 Verkaufstagen; ab 14 lässt sich daraus lernen.",
    "untrained": "Young: trainiert nicht mit, denn vor den letzten 56 Tagen, die für den Test "
    "bleiben, liegen weniger als 14 Tage mit Verkäufen. Mit der Einstellung test-days=16 bleiben "
    "genug.",
    "late": "A: Der 19.07.2042 liegt 18 Jahre nach dem Tag davor: ein Tippfehler?",
    "early": "A: Der 01.06.2023 liegt 215 Tage vor dem Tag danach: ein Tippfehler?",
    "to come": "A: 3 Tage nach heute haben Zeilen; Verkäufe liegen in der Vergangenheit",
    "like bakeries": "Bäckereien 'Nord' und 'nord': Ist das ein und dieselbe?",
    "like products": "Produkte 'Rolls' und 'rols': Ist das ein und dasselbe?",
    "renamed": "A: 'Rolls' endet am 15.03.2024 (55,9 am Tag) und 'Kaiser' beginnt am 16.03.2024 "
    "(55,9), an ähnlichen Wochentagen: umbenannt?",
    "part of a day": f"A: Am letzten Tag, dem 19.05.2024, wurden nur 33{HARD}% des Üblichen "
    "verkauft (bei allen 4 Produkten): exportiert, bevor er vorbei war? Glean hält ihn für "
    "vollständig; exportieren Sie neu, oder lassen Sie ihn mit `glean data import --until "
    "2024-05-18` weg.",
    "several in one": "A: mehrere Tage auf einen gebucht? 07.03.2024 (das 2,8-Fache des Üblichen "
    "bei allen 4 Produkten, davor 2 Tage ohne Verkauf).",
    "several in one product": "A: mehrere Tage auf einen gebucht? 07.03.2024 (das 2,8-Fache des "
    "Üblichen bei einem Produkt, davor 2 Tage ohne Verkauf).",
    "odd day": "A: alle Produkte weitab vom Üblichen an 1 Tag: 11.03.2024 (das 2,2-Fache",
    "odd days of two": "A: alle Produkte weitab vom Üblichen an 2 Tagen: 16.04.2024 (das 5,1-Fache",
    "never sold": "A: Tart 0, Tart 1, Tart 2 und noch 2 nie verkauft; daraus lässt sich nichts "
    "lernen.",
    "nothing sold": "B: nie etwas verkauft; daraus lässt sich nichts lernen.",
    "return": "A: 1 negativer Wert, wohl eine Rückgabe; `glean data import --returns net` zieht",
    "returns": "A: 2 negative Werte, wohl Rückgaben; `glean data import --returns net` zieht",
    "gap": "A: keine Zeilen vom 21.03.2024 bis zum 30.03.2024 (10 Tage); war da geschlossen, oder "
    "fehlen Zeilen? Glean hält Tage ohne Zeilen für Schließtage.",
    "gaps": "A: keine Zeilen vom 01.03.2024 bis zum 30.06.2024 (122 Tage), die längste von 2 "
    "Lücken; war da geschlossen, oder fehlen Zeilen? Glean hält Tage ohne Zeilen für Schließtage. "
    "4 ganze Monate sind ohne Verkauf (März 2024 bis Juni 2024).",
    "zeros": "A: Zeilen, aber kein Verkauf vom 01.04.2024 bis zum 31.07.2024 (122 Tage), an "
    "manchen Wochentagen (So.); ein Schließtag hat keine Zeile.",
    "products": "A: weniger als 14 Tage von Tart (2); ein Produkt wird ab seinem 7. Tag "
    "prognostiziert.",
    "mostly off": "A: geöffnet, aber hierzu fehlen an manchen Wochentagen Zeilen: Bun (So.; meist "
    "Mo.).",
    "sold out": f"A: Rolls war an 25{HARD}% seiner Tage ausverkauft;",
    "outlier": "A: 1 Ausreißer: Rolls am 01.03.2024 mit 900, wo etwa 54 üblich sind. Ein "
    "besonderes Ereignis oder ein Tippfehler? Glean lässt ihn als einzelne Bestellung aus.",
    "outliers": "A: 5 Ausreißer, der Größe nach: Rolls am 10.02.2024 mit 900, wo etwa 75 üblich "
    "sind; ",
    "low outliers": "A: 2 Ausreißer, der Größe nach: Rolls am 31.03.2024 mit 1, wo etwa 56",
    "outlier that comes again": "A: 1 Ausreißer um Feiertage oder den Jahreswechsel herum, die "
    "wiederkehren; Glean lernt daraus.",
    "outlier besides": "A: 1 Ausreißer: Rolls am 31.03.2024 mit 700, wo etwa 56 üblich sind. Ein "
    "besonderes Ereignis oder ein Tippfehler? Glean lässt ihn als einzelne Bestellung aus. "
    "Außerdem 1 um Feiertage und den Jahreswechsel herum",
    "flagged": "Die Feiertagsspalte passt zu den Feiertagen von GB-SCT, bis auf 2 Tage. Geben Sie "
    "`--region GB-SCT` bei `glean plan` an, dann kennt der Plan auch die Feiertage, die kommen;",
    "closed": "Die einzelnen Schließtage von A passen zu den Feiertagen von DE-BW, DE-BY, ohne "
    "Ausnahme. Geben Sie `--region DE-BW` oder die Ihre unter diesen bei `glean data import` und "
    "`glean plan` an",
    "many": "B0: eine kurze Vorgeschichte von 5 Verkaufstagen;",
}
"""How the first remark on each of the tables begins."""


@pytest.mark.parametrize("kind", TABLES)
def test_every_kind_of_remark_is_made_in_german(kind: str, tmp_path: Path) -> None:
    """And in French; as many as in English, and none in it."""
    report = looked_at(tmp_path, TABLES[kind]())
    english, german, french = (
        list(remarks_of(report, language(code))) for code in ("en", "de", "fr")
    )
    assert german[0].startswith(GERMAN[kind])
    assert len(english) == len(german) == len(french)
    assert not set(english) & {*german, *french}
    # A colon of French stands behind a blank, which tells a sentence that stayed English.
    assert all(f"{HARD}:" in remark for remark in french if ":" in remark.replace("`", ""))
    for remark in (*german, *french):
        assert "{" not in remark
        assert not {"the", "are", "of", "days", "rows", "it"} & set(remark.split())


def test_the_last_remarks_are_translated_too(tmp_path: Path) -> None:
    """Those on columns, on what an outlier is, on pauses, and the count of the others."""
    tables = ("sold out", "outlier", "many", "products", "outliers")
    columns, rule, others, products, outliers = (
        list(remarks_of(looked_at(tmp_path, TABLES[kind]()), language("fr"))) for kind in tables
    )
    assert columns[-1] == f"Colonnes de texte qui ne servent pas{HARD}: note."
    assert rule[-1].startswith("Une valeur hors norme s\u2019écarte de plus de six fois")
    assert others[-1] == "... et 2 autres remarques de ce genre."
    assert products[1].startswith(
        f"A{HARD}: ouvert, mais aucune ligne de Cake du 1 mars 2024 au 9 mai 2024 (70 jours){HARD};"
    )
    assert outliers[0].endswith(
        f"habituels et encore 2. Un événement, ou une faute de frappe{HARD}? Glean en laisse 3 de "
        "côté comme commandes isolées, et tient compte des autres."
    )


def test_large_numbers_are_written_as_in_the_language(tmp_path: Path) -> None:
    """Days of a gap of many years."""
    report = looked_at(tmp_path, TABLES["late"]())
    assert "(6.675 Tage)" in list(remarks_of(report, language("de")))[1]
    assert f"(6{NARROW}675 jours)" in list(remarks_of(report, language("fr")))[1]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("de", "5.001 Namen von Produkten wurden nicht daraufhin verglichen"),
        ("fr", f"5{NARROW}001 noms de produits n\u2019ont pas été comparés"),
    ],
)
def test_names_that_are_too_many_are_counted(code: LanguageCode, said: str, tmp_path: Path) -> None:
    """Nobody takes silence for a clean bill."""
    rows = pd.DataFrame({"date": "2024-01-01", "bakery": "A", "units": 1.0}, index=range(5001))
    rows["product"] = [f"Roll {number}" for number in range(5001)]
    remarks = list(remarks_of(looked_at(tmp_path, rows), language(code)))
    assert any(remark.startswith(said) for remark in remarks)


VERDICTS: list[tuple[Callable[[], pd.DataFrame], str, str]] = [
    (sales, "lässt sich so verwenden.", "est utilisable tel quel."),
    (
        lambda: sales().assign(units=0.0),
        "lässt sich nicht verwenden: Es ist nichts darin verkauft, alle Mengen sind 0.",
        f"n\u2019est pas utilisable{HARD}: rien n\u2019y est vendu, toutes les quantités sont 0.",
    ),
    (
        TABLES["returns"],
        "noch nicht verwenden: Bringen Sie in Ordnung, was oben aufgelistet ist (2 Zeilen).",
        f"pas encore utilisable{HARD}: corrigez ce qui est indiqué ci-dessus (2 lignes).",
    ),
    (
        lambda: sales(10),
        "aber nicht zum Lernen: Keine Bäckerei hat 14 Verkaufstage vor einem Test.",
        f"mais pas pour apprendre{HARD}: aucune boulangerie n\u2019a 14 jours de "
        "vente avant un test.",
    ),
    (
        lambda: sales(35),
        "Mit der Einstellung test-days=21 sind es genug.",
        "Le réglage test-days=21 en laisse assez.",
    ),
]


@pytest.mark.parametrize(("make", "german", "french"), VERDICTS)
def test_the_verdict_is_in_the_language(
    make: Callable[[], pd.DataFrame], german: str, french: str, tmp_path: Path
) -> None:
    """Whether a table can be used, and for what."""
    report = looked_at(tmp_path, make())
    assert verdict(report, language("de")).endswith(german)
    assert verdict(report, language("fr")).endswith(french)
    assert verdict(report, language("de")).startswith(str(report.source))


def test_the_next_step_is_a_command_in_every_language(tmp_path: Path) -> None:
    """It can be pasted; no verdict has it."""
    report = looked_at(tmp_path, pd.concat([sales(), sales().assign(bakery="B")]))
    command = f"glean simulate --sales {report.source}"
    assert next_step(report, language("de")) == f"Als Nächstes: {command}"
    assert next_step(report, language("fr")) == f"Ensuite{HARD}: {command}"
    for speaks in (ENGLISH, language("de"), language("fr")):
        assert "glean" not in verdict(report, speaks).removeprefix(report.source)
