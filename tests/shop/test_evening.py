"""After closing: left-overs and sold-out times in a few taps, exports, and who was right."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from glean.errors import GleanError
from glean.runs.folder import write_whole
from glean.sales.reading.sales_file import read_sales
from glean.shop.background import Background
from glean.shop.pages.review import reviewed_lines
from glean.shop.parts import Shop
from glean.shop.plans.verdicts import Verdict, verdict
from tests.shop.conftest import NOW, plan_values

TODAY = NOW.date()
EVENING = f"/closing/{TODAY}"
TILL = "Datum;Artikel;Menge\n30.11.2026;Roggenbrot;44\n30.11.2026;Brötchen;190\n"


def rows_of(shop: Shop, day: dt.date) -> dict[str, tuple[float, str]]:
    """Units and sold-out times of a day in the table."""
    rows = read_sales(shop.settings.sales).rows
    rows = rows[rows["date"] == f"{day}"]
    times = rows["sold_out_at"] if "sold_out_at" in rows else [""] * len(rows)
    return {p: (u, t) for p, u, t in zip(rows["product"], rows["units"], times, strict=True)}


def test_three_taps_keep_what_is_left(client: TestClient, shop: Shop) -> None:
    """The product, the number; another one takes its place."""
    text = client.get(EVENING).text
    link = re.search(r'href="([^"]*product=Roggenbrot[^"]*)"', text)
    assert link is not None
    opened = client.get(link[1].replace("&amp;", "&")).text
    assert '<button name="left" value="4">' in opened
    client.post(EVENING, data={"product": "Roggenbrot", "left": "4"})
    assert shop.closing.left_over(TODAY) == {"Roggenbrot": 4.0}
    assert "4 left" in client.get(EVENING).text
    client.post(EVENING, data={"product": "Roggenbrot", "time": "14:00"})
    assert (shop.closing.left_over(TODAY), shop.closing.sold_out(TODAY)) == (
        {},
        {"Roggenbrot": "14:00"},
    )


def test_what_was_sold_is_read_again_only_where_it_changed(
    client: TestClient, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By all requests together once; by the next one after a change."""
    path, reads = shop.settings.folder / "sold.json", 0
    loads = json.loads

    def count(content: bytes) -> object:
        nonlocal reads
        reads += b'"sold"' in content if isinstance(content, bytes) else 0
        return loads(content)

    monkeypatch.setattr(json, "loads", count)
    for units in (31.0, 32.0):
        write_whole(path, json.dumps({"sold": {f"{TODAY}": {"Roggenbrot": units}}}).encode())
        for _ in range(3):
            assert client.get(EVENING).status_code == 200
        assert shop.till.sold() == {f"{TODAY}": {"Roggenbrot": units}}
    assert reads == 2
    path.unlink()
    assert shop.till.sold() == {}


@pytest.mark.parametrize(
    "form",
    [
        {"product": "nobody", "left": "4"},
        {"product": "Roggenbrot", "left": "many"},
        {"product": "Roggenbrot", "left": "-4"},
        {"product": "Roggenbrot", "time": "25:00"},
        {"product": "Roggenbrot", "time": "1;2"},
    ],
)
def test_what_can_t_be_meant_is_not_kept(
    client: TestClient, shop: Shop, form: dict[str, str]
) -> None:
    client.post(EVENING, data=form)
    assert (shop.closing.left_over(TODAY), shop.closing.sold_out(TODAY)) == ({}, {})


def test_what_is_left_is_taken_off_tomorrow_s_list(client: TestClient) -> None:
    """Of bread, which keeps for two days."""
    client.post(EVENING, data={"product": "Roggenbrot", "left": "6"})
    text = client.get(f"/day/{TODAY + dt.timedelta(days=1)}").text
    assert '<output class="bake">44</output>' in text
    assert "6 left from before" in text


def test_a_day_without_a_till_goes_into_the_sales(client: TestClient, shop: Shop) -> None:
    """Baked less left over, for the products that were entered, with the time."""
    shop.till.look()
    client.post(EVENING, data={"product": "Roggenbrot", "left": "6"})
    client.post(EVENING, data={"product": "Brötchen", "time": "13:00"})
    answer = client.post(EVENING, data={"close": "1"}, follow_redirects=False)
    assert answer.headers["location"] == f"/review/{TODAY}"
    assert rows_of(shop, TODAY) == {"Roggenbrot": (34.0, ""), "Brötchen": (200.0, "13:00")}
    text = client.get(f"/review/{TODAY}").text
    assert "6 left over." in text
    assert "1 product sold out." in text


def test_an_export_is_dropped_and_compared(client: TestClient, shop: Shop) -> None:
    client.post(f"/day/{TODAY}", data={"bake": "45 Roggenbrot"})
    client.post("/exports", files={"export": ("../kasse heute.csv", TILL.encode())})
    assert rows_of(shop, TODAY) == {"Roggenbrot": (44.0, ""), "Brötchen": (190.0, "")}
    assert "2 new numbers, 0 changed" in client.get("/exports").text
    lines = {line.product: line for line in reviewed_lines(shop, TODAY)}
    assert (lines["Roggenbrot"].planned, lines["Roggenbrot"].baked) == (40.0, 45.0)
    assert lines["Roggenbrot"].verdict is Verdict.BAKER
    assert lines["Brötchen"].verdict is None
    assert "1 times you were right" in client.get(f"/review/{TODAY}").text


def test_several_exports_at_once_are_read_in_the_order_of_their_names(
    client: TestClient, shop: Shop
) -> None:
    """One that can't be read is told and hinders none; of a day that two have, the later stays."""
    header = "Datum;Artikel;Menge\n"
    named = [(f"kasse-{day:02d}.csv", f"{day:02d}.11.2026;Roggenbrot;{day}\n") for day in (24, 25)]
    files = [(name, (header + rows).encode()) for name, rows in named]
    files += [("kasse-26.csv", (header + "25.11.2026;Roggenbrot;26\n").encode())]
    files += [(f"kasse-0{k}.csv", b"Datum;Menge\nnever;x\n") for k in range(4)]
    answer = client.post("/exports", files=[("export", file) for file in files[::-1]])
    assert [(one.name, one.ok) for one in shop.exports.last(7)] == [
        (name, name > "kasse-1") for name in sorted((name for name, _ in files), reverse=True)
    ]
    assert rows_of(shop, dt.date(2026, 11, 24))["Roggenbrot"][0] == 24.0
    assert rows_of(shop, dt.date(2026, 11, 25))["Roggenbrot"][0] == 26.0
    assert all(name in answer.text for name, _ in files)


def test_a_bad_export_is_told_in_words_and_changes_nothing(client: TestClient, shop: Shop) -> None:
    before = shop.settings.sales.read_bytes()
    client.post("/exports", files={"export": ("bad.csv", b"Datum;Menge\nnever;x\n")})
    text = client.get("/exports").text
    assert "couldn&#39;t be read; nothing was changed" in text
    assert "bad.csv" in text
    assert "The last export couldn&#39;t be read: bad.csv." in client.get("/").text
    assert str(shop.settings.home) not in text
    assert shop.settings.sales.read_bytes() == before


def test_sold_out_times_wait_for_the_till(client: TestClient, shop: Shop) -> None:
    shop.till.look()
    client.post(EVENING, data={"product": "Brötchen", "time": "13:00"})
    assert shop.till.bring_times() == 0
    client.post("/exports", files={"export": ("kasse.csv", TILL.encode())})
    assert shop.till.bring_times() == 1
    assert rows_of(shop, TODAY)["Brötchen"] == (190.0, "13:00")
    assert shop.till.bring_times() == 0


def test_the_newest_export_of_a_folder_is_read_once_it_is_complete(
    client: TestClient, shop: Shop, tmp_path: Path
) -> None:
    """Older ones aren't, nor what the till still writes, nor the same twice."""
    folder = tmp_path / "till"
    folder.mkdir()
    client.post("/exports/folder", data={"folder": str(folder)})
    (folder / "old.csv").write_text("nonsense", "utf-8")
    os.utime(folder / "old.csv", (1, 1))
    (folder / "notes.doc").write_text("no export", "utf-8")
    newest = folder / "new.csv"
    newest.write_text(TILL[:40], "utf-8")
    background = Background(shop)
    background.look()
    assert shop.exports.last() == []
    newest.write_text(TILL, "utf-8")
    background.look()
    assert shop.exports.last() == []
    for _ in range(3):
        background.look()
    assert [(read.name, read.ok) for read in shop.exports.last()] == [("new.csv", True)]


def test_a_folder_that_went_away_stands_at_the_top(
    client: TestClient, shop: Shop, tmp_path: Path
) -> None:
    """Of all pages, until it is back."""
    folder = tmp_path / "till"
    folder.mkdir()
    client.post("/exports/folder", data={"folder": str(folder)})
    background = Background(shop)
    folder.rmdir()
    background.look()
    assert "can&#39;t be looked into" in client.get("/more").text
    folder.mkdir()
    background.look()
    assert "can&#39;t be looked into" not in client.get("/more").text


def test_a_folder_that_there_isn_t_is_said(client: TestClient, shop: Shop, tmp_path: Path) -> None:
    answer = client.post("/exports/folder", data={"folder": str(tmp_path / "nowhere")})
    assert "There is no such folder" in answer.text
    assert shop.choices.get("exports-folder") is None
    with pytest.raises(GleanError, match="can't be looked into"):
        shop.till.look_into(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("planned", "baked", "sold", "sold_out", "right"),
    [
        (40, 50, 48, False, Verdict.BAKER),
        (40, 50, 41, False, Verdict.PLAN),
        (40, 50, 45, False, Verdict.BOTH),
        (40, 50, 50, True, Verdict.BAKER),
        (40, 30, 30, True, Verdict.PLAN),
        (40, 30, 30, False, Verdict.PLAN),
        (40, 30, 25, False, Verdict.BAKER),
        (40, 30, None, False, Verdict.OPEN),
    ],
)
def test_the_nearer_number_was_right(
    planned: float, baked: float, sold: float | None, sold_out: bool, right: Verdict
) -> None:
    assert verdict(planned, baked, sold, sold_out=sold_out) is right


def test_what_isn_t_baked_isn_t_planned(client: TestClient, shop: Shop) -> None:
    """Chosen once; what is new afterwards is asked about."""
    shop.planner.make()
    text = client.get("/products").text
    assert text.count('name="known"') == 4
    known = re.findall(r'name="known" value="([^"]*)"', text)
    client.post(
        "/products", data={"known": known, "baked": ["Brötchen", "Croissant"], "least": "2"}
    )
    shop.planner.look()
    assert re.findall(r'<li id="([^"]*)"', client.get("/").text) == ["Brötchen", "Croissant"]
    client.post("/exports", files={"export": ("k.csv", (TILL + "30.11.2026;Stollen;9\n").encode())})
    shop.planner.look()
    assert "A new product is sold" in client.get("/").text
    section = client.get("/products").text.partition("</section>")[0]
    assert re.findall(r'name="known" value="([^"]*)"', section) == ["Stollen"]


def test_a_category_is_chosen_by_one_tap(client: TestClient, shop: Shop) -> None:
    shop.planner.make()
    for name in ("Brötchen", "Croissant"):
        client.post(f"/products/details?name={name}", data={"category": "Klein"})
    client.post("/products", data={"none": "Klein"})
    assert shop.assortment.baked() == {"Brötchen": False, "Croissant": False}


def test_trays_and_prices_are_heeded_by_weekday(client: TestClient, shop: Shop) -> None:
    shop.planner.make()
    said = {"batch_-1": "30", "batch_0": "25", "price": "0,50", "cost": "0.10"}
    answer = client.post("/products/details?name=Brötchen", data=said, follow_redirects=False)
    assert answer.status_code == 303
    shop.planner.look()
    for day, tray in ((TODAY, 25.0), (TODAY + dt.timedelta(days=1), 30.0)):
        plan = shop.plans.of(day)
        assert plan is not None
        line = next(line for line in plan.products if line.product == "Brötchen")
        assert (line.batch, line.bake % tray) == (tray, 0.0)
        assert (line.margin, line.ratio) == (0.4, 0.8)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"price": "a lot"}, "“a lot” is no number."),
        ({"price": "1"}, "both, or neither"),
        ({"price": "1", "cost": "2"}, "above the cost"),
        ({"shelf_life_days": "1.5"}, "1 to 14 whole days"),
        ({"batch_-1": "-2"}, "“-2” is no number."),
    ],
)
def test_a_slip_is_said_and_nothing_kept(
    client: TestClient, shop: Shop, said: dict[str, str], words: str
) -> None:
    shop.planner.make()
    answer = client.post("/products/details?name=Croissant", data=said)
    assert answer.status_code == 422
    assert words in answer.text
    assert shop.assortment.said() == {}


def test_left_overs_of_three_day_goods_wait_over_a_sunday(client: TestClient, shop: Shop) -> None:
    """Saturday's are still good on Monday where they keep for three days."""
    plan = plan_values(TODAY, Roggenbrot=40.0)
    plan["products"][0]["shelf_life_days"] = 3.0
    shop.plans.keep([plan], NOW)
    shop.closing.enter(TODAY - dt.timedelta(days=2), "Roggenbrot", left=5.0, time="", at=NOW)
    assert '<output class="bake">35</output>' in client.get("/").text
