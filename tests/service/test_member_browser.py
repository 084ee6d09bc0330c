"""The page of members and the one for the invited, in a real browser."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright
from starlette.testclient import TestClient

from glean.privacy.invitation import read_invitation
from glean.privacy.registration import write_registration
from glean.service.accounts.scopes import Scope
from glean.service.app import create_app
from glean.service.services import Services
from tests.service.browsers import FLAGS, chromium
from tests.service.conftest import token
from tests.service.federations import keys_of

CHROMIUM = chromium()
AXE = os.environ.get("GLEAN_AXE", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
]


@pytest.fixture
def address(federation: Services) -> Iterator[str]:
    """Where the service is reached; nothing of it starts by itself."""
    config = uvicorn.Config(
        create_app(federation),
        port=0,
        lifespan="off",
        log_level="error",
        access_log=False,
        ws="none",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while thread.is_alive() and not server.started:
        time.sleep(0.05)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, address: str, federation: Services) -> Page:
    """Signed in, as who may do everything."""
    found = browser.new_page(bypass_csp=bool(AXE))
    text = token(federation, Scope.ADMIN)["Authorization"].removeprefix("Bearer ")
    found.goto(f"{address}/login")
    found.get_by_label("Your token").fill(text)
    found.get_by_role("main").get_by_role("button", name="Sign in").click()
    found.wait_for_url(f"{address}/")
    return found


def check_axe(page: Page) -> None:
    """No serious fault for who sees or hears it otherwise, by day and by night."""
    if not AXE:
        return
    page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        faults = page.evaluate("axe.run()")["violations"]
        serious = [one["id"] for one in faults if one["impact"] in ("serious", "critical")]
        assert serious == [], scheme


def check_width(page: Page) -> None:
    """On a telephone nothing is wider than the window."""
    page.set_viewport_size({"width": 390, "height": 800})
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0
    page.set_viewport_size({"width": 1280, "height": 800})


def test_a_bakery_is_invited_and_shut_out_on_the_page(
    page: Page, address: str, federation: Services
) -> None:
    """From the menu to the QR code, to the member, to one that is out; with and without members."""
    page.get_by_role("link", name="Members").click()
    check_axe(page)
    page.get_by_label("Its name").fill("Rue Mouffetard")
    page.get_by_role("button", name="Invite", exact=True).click()
    expect(page.get_by_role("img", name="The link as a QR code")).to_be_visible()
    check_axe(page)
    check_width(page)
    link = page.locator("section code").first.inner_text()
    client = TestClient(create_app(federation))
    body = write_registration(read_invitation(link).secret, keys_of("Rue Mouffetard"))
    assert client.post("/join", json=body).status_code == 201
    page.goto(f"{address}/members")
    expect(page.get_by_text("1 joined")).to_be_visible()
    check_axe(page)
    check_width(page)
    page.reload()
    page.locator("summary").click()
    page.get_by_role("button", name="Shut out").click()
    expect(page.get_by_text("1 shut out")).to_be_visible()
    check_axe(page)


def test_the_invited_see_what_to_type(browser: Browser, address: str) -> None:
    """With the invitation of the link, which no request has; a link that was cut off is noticed."""
    page = browser.new_page(bypass_csp=bool(AXE))
    asked: list[str] = []

    def hear(request: Request) -> None:
        asked.append(f"{request.url} {request.headers} {request.post_data}")

    page.on("request", hear)
    secret = "A" * 64
    page.goto(f"{address}/join#1.{secret}")
    expect(page.locator("#command")).to_have_text(
        f"glean join '{address}/join#1.{secret}' --sales my.csv"
    )
    expect(page.get_by_text("isn't whole")).to_be_hidden()
    check_axe(page)
    check_width(page)
    page.get_by_role("button", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator("#command")).to_have_text(
        f"glean join '{address}/join#1.{secret}' --sales my.csv"
    )
    expect(page.locator("#no-invitation")).to_be_hidden()
    check_width(page)
    assert [one for one in asked if "/language" in one]
    assert not any(secret in one for one in asked)
    for broken in ("", "#1.AAAA", "#1." + "A" * 60 + "'; x"):
        other = browser.new_page()
        other.goto(f"{address}/join{broken}")
        expect(other.get_by_text("isn't whole")).to_be_visible()
        expect(other.locator("#command")).to_contain_text("the whole link")


def test_the_rehearsal_has_a_page(page: Page) -> None:
    """From the overview; nothing is started yet."""
    page.get_by_role("link", name="Rehearse a federation").click()
    expect(page.get_by_label("How many shops")).to_have_value("5")
    check_axe(page)
    check_width(page)
