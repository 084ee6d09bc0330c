"""Mornings by themselves: due once a day, each step is tried, and what failed is told."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import sys
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from glean.languages.language import language
from glean.shop.background import Background
from glean.shop.pages.day_list import list_of
from glean.shop.pages.printed import printed_day
from glean.shop.parts import Shop
from glean.shop.plans import sheet_pdf
from glean.shop.plans.paper import list_on_paper
from glean.shop.plans.routine import claim_if_due, go_through
from tests.service.browsers import chromium
from tests.shop.conftest import NOW

TILL = "Datum;Artikel;Menge\n30.11.2026;Roggenbrot;44\n30.11.2026;Brötchen;190\n"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="lp is POSIX's")


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command `lp` that writes what it is told, and what it would print, into a file.

    No browser is there, unless a test puts one there.
    """
    tools = tmp_path / "tools"
    tools.mkdir()
    printed = tmp_path / "printed.txt"
    command = tools / "lp"
    command.write_text(f'#!/bin/sh\necho "$@" > {printed}\ncat >> {printed}\n', "utf-8")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setattr(sheet_pdf, "BROWSERS", ("a-browser",))
    return printed


def at(shop: Shop, hour: int, minute: int = 0, days: int = 0) -> Shop:
    """The shop at another time."""
    now = NOW.replace(hour=hour, minute=minute) + dt.timedelta(days=days)
    return dataclasses.replace(shop, clock=lambda: now)


def choose(client: TestClient, **form: str) -> int:
    return client.post("/mornings", data=form, follow_redirects=False).status_code


def test_a_morning_is_due_once_a_day_from_its_time_on(client: TestClient, shop: Shop) -> None:
    """Also later, where the computer was asleep; not where nobody asked for it."""
    assert not claim_if_due(at(shop, 23))
    assert choose(client, **{"by-itself": "1", "time": "04:30"}) == 303
    assert not claim_if_due(at(shop, 4, 29))
    assert claim_if_due(at(shop, 4, 30))
    go_through(at(shop, 4, 30))
    assert not claim_if_due(at(shop, 5))
    assert claim_if_due(at(shop, 11, days=1))
    assert choose(client, time="04:30") == 303
    assert not claim_if_due(at(shop, 4, 30, days=2))


def test_two_pages_over_one_home_go_through_it_once(client: TestClient, shop: Shop) -> None:
    """And one that was cut off is taken up by the next look a quarter of an hour later."""
    choose(client, **{"by-itself": "1", "time": "04:30"})
    assert [claim_if_due(at(shop, 4, minute)) for minute in (30, 31, 44)] == [True, False, False]
    assert "going on just now." in client.get("/mornings").text
    assert claim_if_due(at(shop, 4, 46))


def test_a_morning_reads_plans_and_prints(
    client: TestClient, shop: Shop, tmp_path: Path, paper: Path
) -> None:
    folder = tmp_path / "till"
    folder.mkdir()
    (folder / "new.csv").write_text(TILL, "utf-8")
    client.post("/exports/folder", data={"folder": str(folder)})
    choose(client, **{"by-itself": "1", "time": "04:30", "prints": "1", "printer": "bakehouse"})
    Background(shop).look()
    morning = shop.mornings.last()
    assert morning is not None
    assert morning.failed == ()
    assert [read.name for read in shop.exports.last()] == ["new.csv"]
    assert "all went well." in client.get("/mornings").text
    said = paper.read_text("utf-8")
    assert said.startswith("-d bakehouse -t Hansen")
    plan = shop.plans.of(NOW.date())
    assert plan is not None
    for line in list_of(shop, plan):
        assert f"{line.bake:.0f}  {line.product}\n" in said


@pytest.mark.parametrize("does", ["prints", "fails", "says-nothing"])
def test_a_browser_makes_the_sheet_where_it_can(
    client: TestClient, shop: Shop, paper: Path, does: str
) -> None:
    """Otherwise the list is printed as text: paper comes out either way, and nothing stays."""
    assert "plain list in large type" in client.get("/mornings").text
    command = paper.parent / "tools" / "a-browser"
    made = {
        "prints": "for word; do case $word in --print-to-pdf=*) to=${word#*=};;"
        " file:*) from=${word#file://};; esac; done\n{ printf '%%PDF of '; cat $from; } > $to",
        "fails": "exit 1",
        "says-nothing": "for word; do case $word in --print-to-pdf=*) : > ${word#*=};; esac; done",
    }[does]
    command.write_text(f"#!/bin/sh\n{made}\n", "utf-8")
    command.chmod(0o755)
    assert "the sheet for the wall, on A4" in client.get("/mornings").text
    choose(client, **{"by-itself": "1", "time": "04:30", "prints": "1"})
    assert go_through(shop).failed == ()
    said = paper.read_text("utf-8")
    assert ("media=A4" in said) == ("%PDF of <!DOCTYPE html>" in said) == (does == "prints")
    assert ("cpi=8" in said) == (does != "prints")
    assert "Roggenbrot" in said
    assert list(shop.settings.folder.glob("print-*")) == []


@pytest.mark.slow
@pytest.mark.skipif(chromium() is None, reason="there is no chromium: apt-get install chromium")
def test_a_real_browser_makes_one_sheet_of_a4(shop: Shop) -> None:
    """Beside whatever else it does: in a profile of its own."""
    plan = shop.plans.of(NOW.date())
    assert plan is not None
    html = printed_day(shop, plan, language("de"))
    content = sheet_pdf.sheet_as_pdf(html, shop.settings.folder)
    assert content is not None
    assert len(re.findall(rb"/Type\s*/Page\b", content)) == 1
    box = re.search(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", content)
    assert box is not None
    # A4 in points of 1/72 inch.
    assert [float(side) for side in box.groups()] == pytest.approx([595.3, 841.9], abs=1)


def test_what_fails_stands_at_the_top_and_the_rest_is_done(
    client: TestClient, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No folder, no plan, no printer: three alerts; the next good morning takes them away."""
    folder = tmp_path / "till"
    folder.mkdir()
    client.post("/exports/folder", data={"folder": str(folder)})
    choose(client, **{"by-itself": "1", "time": "04:30", "prints": "1"})
    monkeypatch.setenv("PATH", str(tmp_path))
    good = shop.settings.sales.read_bytes()
    shop.settings.sales.write_text("date,product,units\n2026-13-45,Roll,3\n", "utf-8")
    morning = go_through(shop)
    assert [step for step, _ in morning.failed] == ["export", "plan", "print"]
    text = client.get("/").text
    for words in (
        "This morning the newest export wasn&#39;t read.",
        "found no new export",
        "No new plan could be made.",
        "This morning the plan wasn&#39;t printed.",
        "found no `lp`",
    ):
        assert words in text
    assert text.count('class="alert" role="alert"') == 3
    shop.settings.sales.write_bytes(good)
    choose(client, **{"by-itself": "1", "time": "04:30"})
    client.post("/exports/folder", data={"folder": ""})
    assert go_through(shop).failed == ()
    assert 'class="alert" role="alert"' not in client.get("/").text


def test_a_printer_that_says_no_is_told(client: TestClient, shop: Shop, paper: Path) -> None:
    command = paper.parent / "tools" / "lp"
    command.write_text("#!/bin/sh\necho 'no such printer' >&2\nexit 1\n", "utf-8")
    choose(client, **{"by-itself": "1", "time": "04:30", "prints": "1"})
    assert go_through(shop).failed == (("print", ("lp: no such printer",)),)


@pytest.mark.parametrize(
    "form",
    [
        {"by-itself": "1", "time": "25:00"},
        {"by-itself": "1", "time": ""},
        {"time": "", "printer": "a; rm -rf /"},
        {"time": "", "printer": "-o x"},
    ],
)
def test_what_can_t_be_meant_is_said(client: TestClient, shop: Shop, form: dict[str, str]) -> None:
    assert choose(client, **form) == 422
    assert shop.choices.get("morning-time") is None


def test_nothing_is_printed_that_isn_t_baked(shop: Shop) -> None:
    plan = shop.plans.of(NOW.date())
    assert plan is not None
    shop.baking.correct(NOW.date(), "Brötchen", planned=200.0, units=0.0, at=NOW)
    text = list_on_paper(plan, list_of(shop, plan), language("de"))
    assert text.splitlines()[:3] == ["Hansen", "Montag, 30. November 2026", "Regen: 10 % weniger"]
    assert "Brötchen" not in text
    assert "     40  Roggenbrot" in text
