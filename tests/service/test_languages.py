"""The pages in English, German and French, with numbers and days as one writes them there."""

from __future__ import annotations

import html
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from glean.evaluation.figures.plot_style import Canvas
from glean.languages.language import LANGUAGES, NOTHING, LanguageCode, language
from glean.service.api.run_models import PATH_SETTINGS
from glean.service.runs.status import RunStatus
from glean.service.services import Services
from glean.service.store.tables import RunRow
from glean.settings import declared_fields
from glean.web.accepted_language import LANGUAGE_COOKIE, language_of


# The oracles follow CLDR: French groups by a narrow no-break space.
@pytest.mark.parametrize(
    ("code", "number", "percent", "moment", "day"),
    [
        ("en", "1,234.5", "12.3%", "1 Mar 2026, 14:05:09 UTC", "1 Mar 2026"),
        ("de", "1.234,5", "12,3\u00a0%", "01.03.2026, 14:05:09 UTC", "01.03.2026"),
        (
            "fr",
            "1\u202f234,5",
            "12,3\u00a0%",
            "1 mars 2026, 14:05:09 UTC",
            "1 mars 2026",
        ),
    ],
)
def test_numbers_and_days_are_written_as_in_the_language(
    code: str, number: str, percent: str, moment: str, day: str
) -> None:
    """A dash where there is none."""
    speaks = language(code)
    assert speaks.number(1234.5, 1) == number
    assert speaks.number(7) == "7"
    assert speaks.percent(0.1234) == percent
    assert speaks.moment("2026-03-01T14:05:09+00:00") == moment
    assert speaks.day("2026-03-01") == day
    nothing = [speaks.number(None), speaks.percent(None), speaks.moment(None), speaks.moment("?")]
    assert nothing == [NOTHING] * 4


@pytest.mark.parametrize(
    ("code", "forms"),
    [
        ("en", {0: "0 files", 1: "One file", 2: "2 files", 1234: "1,234 files"}),
        ("de", {0: "0 Dateien", 1: "Eine Datei", 2: "2 Dateien", 1234: "1.234 Dateien"}),
        ("fr", {0: "0 fichier", 1: "1 fichier", 2: "2 fichiers", 1234: "1\u202f234 fichiers"}),
    ],
)
def test_words_go_with_their_number(code: str, forms: dict[int, str]) -> None:
    """None is one in French, several in English and German."""
    found = {count: language(code).ngettext("One file", "%(num)s files", count) for count in forms}
    assert found == forms


def test_a_sentence_that_a_catalogue_lacks_stays_english() -> None:
    """With its number."""
    for code in LANGUAGES:
        assert language(code).gettext("A pear.") == "A pear."
        assert language(code).ngettext("One pear", "%(num)s pears", 2) == "2 pears"


@pytest.mark.parametrize(
    ("cookie", "header", "wanted"),
    [
        ("fr", "de", "fr"),
        ("en", "de", "en"),
        (None, "de", "de"),
        (None, "de-AT,de;q=0.9,en;q=0.8", "de"),
        (None, "it, fr-CH;q=0.5", "fr"),
        (None, "it", "en"),
        (None, "", "en"),
        (None, "*", "en"),
        ("it", "de", "de"),
        ("../de", "", "en"),
    ],
)
def test_a_cookie_beats_what_the_browser_asks_for(
    cookie: str | None, header: str, wanted: str
) -> None:
    """And English is for who speaks none of the languages."""
    assert language_of(cookie, header).code == wanted


@pytest.fixture
def _much_to_show(
    client: TestClient,
    admin: dict[str, str],
    services: Services,
    results: Path,
    three_bakeries: str,
) -> Iterator[None]:
    """Of everything that a page can show there is one: runs, a queue, models, a table, accounts."""
    first = next(results.glob("2*"))
    shutil.copytree(first, results / "20260101T000000Z-8001")
    services.discovery.refresh()
    # Without the worker process, which takes seconds to start.
    with mock.patch.object(
        type(services.workers), "run", lambda _, function, *given: function(*given)
    ):
        asked = {"engine": "inprocess", "bakeries": 3, "settings": {"num-server-rounds": 2}}
        table = Path(three_bakeries).read_bytes()
        calls: list[tuple[str, dict[str, Any]]] = [
            ("runs", {"json": asked}),
            ("tokens", {"json": {"name": "Ben"}}),
            ("datasets?file=sales.csv", {"content": table}),
            *((f"models/{version.run.id}/promote", {}) for version in services.models.all()),
        ]
        for path, body in calls:
            assert client.post(f"/api/v1/{path}", headers=admin, **body).is_success
        yield


HEADINGS = {
    "/": ("Ended last", "Zuletzt beendet", "Terminés en dernier"),
    "/runs": ("Runs", "Läufe", "Entraînements"),
    "/runs?status=queued": ("taken back", "zurückgenommen", "retiré"),
    "/runs?status=failed": ("Start a run", "Lauf starten", "Lancer un entraînement"),
    "/runs/new": ("Rarely changed", "Selten geändert", "Rarement changés"),
    "/runs/{run}": ("By round", "Runde für Runde", "Tour par tour"),
    "/runs/{queued}": ("Stop", "Stoppen", "Arrêter"),
    "/compare": ("Compare two runs", "Zwei Läufe vergleichen", "Comparer deux entraînements"),
    "/models": ("in production", "im Einsatz", "en service"),
    "/data/{dataset}": ("all together", "alle zusammen", "toutes ensemble"),
    "/data": ("Upload and check", "Hochladen und prüfen", "Envoyer et vérifier"),
    "/bakeries": ("done", "fertig", "jusqu\u2019au bout"),
    "/accounts": ("Who did what", "Wer was getan hat", "Qui a fait quoi"),
    "/docs": ("Sign out", "Abmelden", "Se déconnecter"),
    "/runs/none": ("That didn't work", "Das hat nicht geklappt", "Cela n\u2019a pas marché"),
}
LIVE = {
    "/overview/live": ("Needs a hand", "Zu erledigen", "À régler"),
    "/runs/{run}/live": (
        "the run completed",
        "der Lauf ist abgeschlossen",
        "l\u2019entraînement est terminé",
    ),
}

RAW = {"round", "bakeries", "seed", "units", "client"}
"""What a table says as the run's files do: names of columns and of settings, and their values."""


class _Texts(HTMLParser):
    """What a page says, piece by piece, and in which language it claims to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.language: str | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found.add(given.get("aria-label") or "")
        if tag == "html":
            self.language = given.get("lang")

    def handle_data(self, data: str) -> None:
        self.found.add(data.strip())


def addresses(services: Services) -> dict[str, str]:
    rows = services.models.all()
    with services.database.transaction() as session:
        queued = session.scalars(
            sa.select(RunRow.id).where(RunRow.status == RunStatus.QUEUED)
        ).one()
    (dataset,) = services.datasets.all()
    return {"run": rows[0].run.id, "queued": queued, "dataset": dataset.id}


@pytest.mark.usefixtures("_much_to_show")
@pytest.mark.parametrize("code", list(LANGUAGES))
def test_each_page_is_in_the_language_of_the_cookie(
    client: TestClient, admin: dict[str, str], services: Services, code: LanguageCode
) -> None:
    """And says nothing in English that the catalogue has in that language."""
    client.cookies.set(LANGUAGE_COOKIE, code)
    place = list(LANGUAGES).index(code)
    signing_in = client.get("/login")
    assert language(code).gettext("Your token") in _Texts(signing_in.text).found
    client.post("/login", data={"token": admin["Authorization"].removeprefix("Bearer ")})
    named = addresses(services)
    for address, headings in (HEADINGS | LIVE).items():
        answer = client.get(address.format(**named))
        assert answer.status_code == (404 if address == "/runs/none" else 200), answer.text
        said = _Texts(answer.text)
        assert said.language == (None if address in LIVE else code), address
        assert headings[place] in said.found, address
        english = {text for text in said.found if language(code).gettext(text) != text}
        assert english <= RAW, address


@pytest.mark.usefixtures("_much_to_show")
@pytest.mark.parametrize(
    ("code", "verdict", "remark"),
    [
        ("en", "sales.csv can be used as it is.", "Columns of text that aren't used: note."),
        (
            "de",
            "sales.csv lässt sich so verwenden.",
            "Textspalten, die nicht genutzt werden: note.",
        ),
        (
            "fr",
            "sales.csv est utilisable tel quel.",
            "Colonnes de texte qui ne servent pas : note.",
        ),
    ],
)
def test_what_is_said_of_a_table_is_in_the_language_of_the_page(
    client: TestClient,
    admin: dict[str, str],
    services: Services,
    three_bakeries: str,
    code: LanguageCode,
    verdict: str,
    remark: str,
) -> None:
    """Among the tables and on its own page; without a command to type."""
    rows = Path(three_bakeries).read_text("utf-8").splitlines()
    table = "\n".join([f"{rows[0]},note", *(f"{row},x" for row in rows[1:])]).encode()
    services.datasets.delete(addresses(services)["dataset"])
    path = "/api/v1/datasets?file=sales.csv"
    assert client.post(path, headers=admin, content=table).status_code == 201
    client.cookies.set(LANGUAGE_COOKIE, code)
    client.post("/login", data={"token": admin["Authorization"].removeprefix("Bearer ")})
    for address in ("/data", f"/data/{addresses(services)['dataset']}"):
        page = client.get(address).text
        assert {verdict, remark.replace(" :", "\u00a0:")} <= _Texts(page).found, address
        assert "glean simulate" not in page


@pytest.mark.usefixtures("_much_to_show")
def test_a_report_is_read_in_the_reader_s_language(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """What lies in the run's folder stays as it was, and is what a reader of its language gets."""
    client.post("/login", data={"token": admin["Authorization"].removeprefix("Bearer ")})
    name = addresses(services)["run"]
    folder = services.queue.run_folder(services.queue.find(name))
    assert folder is not None
    written = folder / "report.html"
    written.write_text('<!DOCTYPE html>\n<html lang="en"><body>as it was</body></html>')
    before = written.read_bytes()
    with mock.patch.object(Canvas, "png", return_value=b""):
        for code, words in (
            ("en", "as it was"),
            ("de", "Was die Wörter bedeuten"),
            ("fr", "Le sens des mots"),
        ):
            client.cookies.set(LANGUAGE_COOKIE, code)
            answer = client.get(f"/runs/{name}/report")
            said = _Texts(answer.text)
            assert said.language == code
            assert words in said.found
            speaks = language(code)
            assert {text for text in said.found if speaks.gettext(text) != text} <= RAW
    assert written.read_bytes() == before


@pytest.mark.usefixtures("_much_to_show")
def test_a_report_is_drawn_once_a_language(services: Services) -> None:
    """Until the run's files change; where none can be drawn, the run's own is shown."""
    folder = services.queue.run_folder(services.queue.find(addresses(services)["run"]))
    assert folder is not None
    page = folder / "report.html"
    page.write_text('<html lang="en">', encoding="utf-8")
    with mock.patch.object(Canvas, "png", return_value=b"") as drawn:
        first = services.reports.of(page, "de")
        pictures = drawn.call_count
        assert services.reports.of(page, "de") == first
        assert drawn.call_count == pictures > 0
        page.write_text('<html lang="en"><p>anew', encoding="utf-8")
        services.reports.of(page, "de")
        assert drawn.call_count == 2 * pictures
        (folder / "bakeries.csv").unlink()
        page.write_text('<html lang="en"><p>once more', encoding="utf-8")
        assert services.reports.of(page, "de").endswith(b"once more")


@pytest.mark.parametrize("code", ["de", "fr"])
def test_each_setting_is_explained_in_the_language(
    client: TestClient, admin: dict[str, str], code: LanguageCode
) -> None:
    """With whole numbers of its range as one writes them there; its key stays."""
    client.cookies.set(LANGUAGE_COOKIE, code)
    client.post("/login", data={"token": admin["Authorization"].removeprefix("Bearer ")})
    page = html.unescape(client.get("/runs/new").text)
    speaks = language(code)
    for key, item in declared_fields().items():
        if key not in PATH_SETTINGS:
            meaning = item.metadata["meaning"]
            hint = page.partition(f'id="h-{key}">')[2].partition("<")[0]
            assert hint.startswith(speaks.gettext(meaning)), key
            assert not hint.startswith(meaning), key
    assert f"(1 \N{EN DASH} {speaks.number(10_000)})" in page
    assert "0.0 \N{EN DASH} \N{INFINITY}" in page
