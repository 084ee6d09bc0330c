"""Orders, events, the sheet and the habit in a real browser, 390 px wide, in German."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from playwright.sync_api import Browser, expect

from tests.shop import test_shop_browser
from tests.shop.test_shop_browser import Phone

pytestmark = test_shop_browser.pytestmark
address, browser = test_shop_browser.address, test_shop_browser.browser


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "no-script"])
def test_an_order_and_an_event_are_on_list_and_sheet(
    browser: Browser, address: str, *, scripts: bool
) -> None:
    """Entered by the labels of the forms; printed on one sheet, no page wider than the phone."""
    phone = Phone(browser, address, scripts=scripts)
    page = phone.page
    day = dt.date.fromisoformat(page.locator("nav.days a").first.get_attribute("href")[-10:])  # type: ignore[index]
    phone.open("/orders")
    page.get_by_label("Produkt").fill("Hochzeitstorte")
    page.get_by_label("Wie viele").fill("2")
    page.get_by_label("Tag", exact=True).fill(f"{day}")
    page.get_by_label("Für wen").fill("Frau Petersen")
    page.get_by_role("button", name="Aufnehmen").click()
    expect(page.get_by_text("2 Hochzeitstorte").first).to_be_visible()
    phone.check()
    phone.open("/coming")
    page.locator("select[name=kind]").select_option("event")
    page.get_by_label("von", exact=True).fill(f"{day}")
    page.get_by_label(re.compile("Ereignis: wie viel mehr")).fill("50")
    page.get_by_label("Notiz").fill("Stadtfest")
    page.get_by_role("button", name="Speichern").first.click()
    expect(page.get_by_text("Stadtfest").first).to_be_visible()
    phone.check()
    phone.open(f"/day/{day}")
    line = page.locator("li", has_text="Hochzeitstorte")
    expect(line.locator("output")).to_have_text("2")
    expect(page.get_by_text("Stadtfest").first).to_be_visible()
    phone.check()
    phone.open(f"/print/{day}")
    expect(page.get_by_text("Hochzeitstorte")).to_be_visible()
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == 1


def test_the_habit_is_asked_once(browser: Browser, address: str) -> None:
    """And the page says what it takes until there is something to compare."""
    phone = Phone(browser, address)
    page = phone.page
    phone.open("/savings")
    page.get_by_role("button", name="das Mittel der letzten vier gleichen Wochentage").click()
    expect(page.get_by_text("Noch nichts zu vergleichen")).to_be_visible()
    expect(page.get_by_text("Verglichen mit")).to_be_visible()
    phone.check()
