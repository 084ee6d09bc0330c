"""The page in a real browser, 390 px wide, in German: a baker's day, without a network too."""

from __future__ import annotations

import datetime as dt
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Locator,
    Page,
    Route,
    expect,
    sync_playwright,
)

from glean.shop.web.menu import MORE, TABS
from tests import processes
from tests.service.browsers import FLAGS, chromium
from tests.shop.conftest import sales_rows
from tests.shop.shop_process import shop_process

CHROMIUM = chromium()
AXE = os.environ.get("GLEAN_AXE", "")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PATHS = (
    *(address.removeprefix("/") for address, _ in (*TABS, *MORE)),
    "closing?product=Brötchen",
    "products/details?name=Brötchen",
    "nowhere",
)
PATIENCE_MS = 60_000
LARGEST_BYTES = 100_000
SLOWEST_S = 0.3

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A shop whose sales end yesterday by the machine's clock, with a plan."""
    home = tmp_path / "home"
    home.mkdir()
    sales = tmp_path / "sales.csv"
    sales_rows(last=dt.datetime.now(dt.UTC).astimezone().date() - dt.timedelta(days=1)).to_csv(
        sales, index=False
    )
    with shop_process(home, "--sales", str(sales), "--language", "de") as found:
        processes.wait_until((home / "shop" / "sold.json").exists, "sales are read", limit_s=60)
        processes.wait_until((home / "shop" / "products.json").exists, "a plan is made", limit_s=60)
        yield found.rstrip("/")


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Debian's Chromium, driven by Playwright."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


class Phone:
    """A phone with the page open, and what went wrong on it."""

    def __init__(self, browser: Browser, address: str, *, scripts: bool = True) -> None:
        self.context: BrowserContext = browser.new_context(
            locale="de-DE", viewport={"width": 390, "height": 844}, java_script_enabled=scripts
        )
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.address = address
        self.open("/")

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}{path}")

    def _hear(self, message: object) -> None:
        kind, text = message.type, message.text  # type: ignore[attr-defined]
        if kind == "error" and "ERR_INTERNET_DISCONNECTED" not in text:
            self.errors.append(text)

    def check(self) -> None:
        """Nothing failed, was refused or came from elsewhere, and nothing sticks out."""
        assert self.errors == []
        assert self.hosts <= {urlsplit(self.address).netloc, ""}
        assert self.page.evaluate("document.documentElement.scrollWidth") <= 390


def bread(page: Page) -> str:
    """Units of bread on the list."""
    return page.locator("li", has_text="Roggenbrot").locator("output").inner_text()


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no-script"])
def test_a_list_is_ticked_and_corrected(browser: Browser, address: str, *, scripts: bool) -> None:
    """With a script and without one, and it is still so when the page is opened again."""
    phone = Phone(browser, address, scripts=scripts)
    page, line = phone.page, phone.page.locator("li", has_text="Roggenbrot")
    before = int(bread(page))
    for taps in (1, 2):
        line.get_by_role("button", name="mehr Roggenbrot").click()
        expect(line.locator("output")).to_have_text(str(before + 5 * taps))
    line.get_by_role("button", name="Roggenbrot ist fertig").click()
    expect(line).to_have_class("done")
    # With a script a tick is shown before the bakery's computer has it.
    expect(page.locator("#list[aria-busy]")).to_have_count(0)
    expect(line.get_by_text(f"Plan: {before}")).to_be_visible()
    phone.open("/")
    assert bread(page) == str(before + 10)
    expect(line).to_have_class("done")
    phone.check()


def test_a_tap_whose_answer_is_lost_counts_once(browser: Browser, address: str) -> None:
    """The script sends it again; quick taps count each, and a page that is left loses none."""
    phone = Phone(browser, address)
    page, line = phone.page, phone.page.locator("li", has_text="Roggenbrot")
    before = int(bread(page))
    lost: list[int] = []

    def lose_the_first(route: Route) -> None:
        if route.request.method == "POST" and not lost:
            lost.append(route.fetch().status)
            route.abort()
        else:
            route.continue_()

    for name in ("Roggenbrot ist fertig", "mehr Roggenbrot"):
        lost.clear()
        page.route("**/day/*", lose_the_first)
        line.get_by_role("button", name=name).click()
        expect(page.locator("#list[aria-busy]")).to_have_count(0)
        page.unroute("**/day/*")
        assert lost == [200]
    expect(line).to_have_class("done")
    assert int(bread(page)) == before + 5
    line.get_by_role("button", name="mehr Roggenbrot").dblclick()
    expect(line.locator("output")).to_have_text(str(before + 15))
    line.get_by_role("button", name="Roggenbrot ist fertig").click()
    phone.open("/more")
    processes.wait_until(lambda: not ticked_after(phone, line), "the tick is back", limit_s=20)
    assert int(bread(page)) == before + 15


def ticked_after(phone: Phone, line: Locator) -> bool:
    """Whether a line is done on a list that is opened anew."""
    phone.open("/")
    return line.get_attribute("class") == "done"


def test_an_evening_in_three_taps_and_the_till_s_export(browser: Browser, address: str) -> None:
    """Left over, sold out, the export dropped, and the day compared."""
    phone = Phone(browser, address)
    page = phone.page
    page.get_by_role("link", name="Abend").click()
    page.get_by_role("link", name=re.compile("Roggenbrot")).click()
    page.get_by_role("button", name="4", exact=True).click()
    expect(page.get_by_role("link", name=re.compile("Roggenbrot"))).to_contain_text("4 übrig")
    page.get_by_role("link", name=re.compile("Croissant")).click()
    page.get_by_role("button", name="14:00").click()
    expect(page.get_by_role("link", name=re.compile("Croissant"))).to_contain_text("14:00")
    day = page.url.partition("/closing/")[2][:10]
    rows = "".join(
        f"{day};{name};{units}\n" for name, units in (("Roggenbrot", 31), ("Croissant", 25))
    )
    page.get_by_role("link", name="Verkäufe aus der Kasse").click()
    page.get_by_label("Exporte der Kasse").set_input_files(
        {
            "name": "kasse.csv",
            "mimeType": "text/csv",
            "buffer": f"Datum;Artikel;Menge\n{rows}".encode(),
        }
    )
    expect(page.get_by_text("2 neue Zahlen")).to_be_visible()
    phone.open(f"/review/{day}")
    expect(page.get_by_role("row", name=re.compile("Roggenbrot"))).to_contain_text("31")
    phone.check()


def test_what_isn_t_baked_goes(browser: Browser, address: str) -> None:
    """Coffee, once; the next list is without it."""
    phone = Phone(browser, address)
    page = phone.page
    page.get_by_role("link", name="Was backen Sie selbst?").click()
    page.get_by_role("checkbox", name=re.compile("Cappuccino")).uncheck()
    page.get_by_role("button", name="Speichern").click()
    page.wait_for_url("**/products?saved=1")

    def without_coffee() -> bool:
        phone.open("/")
        return "Cappuccino" not in page.content()

    processes.wait_until(without_coffee, "coffee is off the list", limit_s=60)
    phone.check()


def test_the_last_page_is_there_without_a_connection(browser: Browser, address: str) -> None:
    """As an app; it says so, lets nothing be entered, and is a new one with the connection."""
    phone = Phone(browser, address)
    page = phone.page
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    phone.open("/")
    before = bread(page)
    phone.context.set_offline(True)
    phone.open("/")
    expect(page.get_by_text("Keine Verbindung zum Rechner der Bäckerei")).to_be_visible()
    assert bread(page) == before
    expect(page.get_by_role("button", name="mehr Roggenbrot")).to_be_disabled()
    other = Phone(browser, address)
    other.page.get_by_role("button", name="mehr Roggenbrot").click()
    expect(other.page.locator("#list[aria-busy]")).to_have_count(0)
    phone.context.set_offline(False)
    # By itself: + would start from an old number otherwise.
    expect(page.locator("li", has_text="Roggenbrot").locator("output")).not_to_have_text(before)
    assert bread(page) == bread(other.page)
    expect(page.get_by_text("Keine Verbindung zum Rechner der Bäckerei")).to_be_hidden()
    expect(page.get_by_role("button", name="mehr Roggenbrot")).to_be_enabled()
    phone.check()


def test_pages_are_small_and_quick(browser: Browser, address: str) -> None:
    """Each under 100 KB and 0.3 s, as the browser counts them; none wider than the phone."""
    phone = Phone(browser, address)
    for path in PATHS[:-1]:
        phone.open(f"/{path}")
        size, seconds = phone.page.evaluate(
            "(() => { const [it] = performance.getEntriesByType('navigation');"
            " return [it.transferSize, (it.responseEnd - it.startTime) / 1000]; })()"
        )
        assert size < LARGEST_BYTES, path
        assert seconds < SLOWEST_S, path
        phone.check()


@pytest.mark.skipif(not AXE, reason="GLEAN_AXE names no axe.min.js of axe-core")
@pytest.mark.parametrize("scheme", SCHEMES)
def test_axe_finds_nothing_serious(
    browser: Browser, address: str, scheme: Literal["light", "dark"]
) -> None:
    """Names, contrast, landmarks: nothing that keeps somebody out."""
    phone = Phone(browser, address)
    phone.page.emulate_media(color_scheme=scheme)
    script = Path(AXE).read_text(encoding="utf-8")
    for path in PATHS:
        phone.open(f"/{path}")
        phone.page.evaluate(script)
        found = phone.page.evaluate(
            "axe.run(document).then((all) => all.violations"
            ".filter((one) => ['serious', 'critical'].includes(one.impact))"
            ".map((one) => `${one.id}: ${one.nodes[0].html}`))"
        )
        assert found == [], path
