"""The pages in a real browser: a run started, watched through a break of the network, stopped."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import processes
from tests.service.browsers import FLAGS, chromium, sign_in
from tests.service.served import Served, serving

CHROMIUM = chromium()
AXE = os.environ.get("GLEAN_AXE", "")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PAGES = ("", "runs", "runs/new", "compare", "models", "data", "bakeries", "accounts", "docs")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_left"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals and sessions are POSIX's"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
]

PATIENCE_MS = 60_000


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Debian's Chromium, driven by Playwright."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A service over an empty folder."""
    with serving(tmp_path) as found:
        yield found


class Watched:
    """A page that is signed in, and what went wrong on it."""

    def __init__(self, browser: Browser, served: Served) -> None:
        self.context = browser.new_context(locale="en-GB")
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._hear)
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.address = served.address.rstrip("/")
        sign_in(self.page, served)

    def _hear(self, message: object) -> None:
        kind, text = message.type, message.text  # type: ignore[attr-defined]
        if kind == "error" and "ERR_INTERNET_DISCONNECTED" not in text:
            self.errors.append(text)

    def check(self) -> None:
        """No script failed, nothing was refused by the policy, nothing came from elsewhere."""
        assert self.errors == []
        assert self.hosts <= {urlsplit(self.address).netloc, ""}


def start_run(page: Page, rounds: int) -> str:
    """Start a run by the form; its id."""
    page.get_by_role("link", name="Start a run").click()
    page.get_by_label("How many bakeries").fill("3")
    page.get_by_label("num-server-rounds").fill(str(rounds))
    page.get_by_label("max-depth").fill("2")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/runs/r*")
    return page.url.rpartition("/")[2]


def wait_for_round(page: Page, number: int) -> None:
    """Wait until the page, which isn't loaded anew, shows that so many rounds are done."""
    done = "document.querySelector('progress')?.value ?? 0"
    processes.wait_until(
        lambda: float(page.evaluate(done)) >= number, f"round {number} is shown", limit_s=60
    )


def test_a_run_is_watched_through_a_break_of_the_network(browser: Browser, served: Served) -> None:
    """Rounds arrive by themselves; after the break all is there; then it is stopped."""
    watched = Watched(browser, served)
    page = watched.page
    run_id = start_run(page, rounds=1000)
    wait_for_round(page, 3)
    expect(page.get_by_text(" is finished: wape").first).to_be_visible()
    watched.context.set_offline(True)
    before = served.run(run_id)["rounds_done"]
    processes.wait_until(
        lambda: served.run(run_id)["rounds_done"] > before + 20, "rounds go on", limit_s=60
    )
    missed = served.run(run_id)["rounds_done"]
    expect(page.get_by_text("No connection to the service")).to_be_visible(timeout=PATIENCE_MS)
    watched.context.set_offline(False)
    wait_for_round(page, missed)
    expect(page.get_by_text("No connection to the service")).to_be_hidden(timeout=PATIENCE_MS)
    expect(page.locator(".grid li.training")).to_have_count(3)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".status")).to_have_text("stopped")
    expect(page.get_by_role("alert")).to_have_count(0)
    watched.check()


def test_what_a_run_made_is_compared_promoted_and_plans(
    browser: Browser, served: Served, three_bakeries: str, tmp_path: Path
) -> None:
    """From the form to a plan by REST; a bad table is refused with its lines."""
    watched = Watched(browser, served)
    page = watched.page
    for rounds in (2, 3):
        run_id = start_run(page, rounds=rounds)
        expect(page.get_by_role("heading", name="What it brings")).to_be_visible(
            timeout=PATIENCE_MS
        )
        page.goto(f"{watched.address}/")
    page.goto(f"{watched.address}/compare")
    expect(page.get_by_role("rowheader", name="num-server-rounds")).to_be_visible()
    expect(page.locator("#pair-chart .point")).to_have_count(3)
    page.goto(f"{watched.address}/models")
    page.get_by_role("button", name="Put into production").first.click()
    expect(page.get_by_text("in production", exact=True)).to_be_visible()
    page.goto(f"{watched.address}/data")
    bad = tmp_path / "bad.csv"
    bad.write_text("date,units\n2024-01-01,many\n")
    page.get_by_label("A sales table").set_input_files(bad)
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_role("alert")).to_contain_text("bad.csv, line 2, column 'units'")
    watched.errors = [e for e in watched.errors if "422" not in e]  # the answer's own status
    page.get_by_label("A sales table").set_input_files(three_bakeries)
    page.get_by_role("button", name="Upload and check").click()
    expect(page.get_by_text("three.csv can be used")).to_be_visible()
    dataset = served.http.get("/api/v1/datasets").json()["datasets"][0]["id"]
    body = {"dataset": dataset, "bakery": "bakery 0"}
    plan = served.http.post("/api/v1/plans", json=body)
    assert plan.status_code == 200, plan.text
    assert served.http.get("/api/v1/models/production").json()["id"] == run_id
    watched.check()


def test_names_and_days_in_a_chart_are_written_as_people_write_them(
    browser: Browser, served: Served
) -> None:
    """A name isn't obeyed, though the library knows some HTML; months are the language's."""
    product = '<b>rye</b> <a href="https://elsewhere.example">&</a>'
    quoted = product.replace('"', '""')
    days = [dt.date(2026, 1, 1) + dt.timedelta(days=n) for n in range(150)]
    rows = "".join(f'{day},a,"{quoted}",9\n{day},a,roll,{5 + day.day}\n' for day in days)
    table = f"date,bakery,product,units\n{rows}".encode()
    answer = served.http.post("/api/v1/datasets", params={"file": "t.csv"}, content=table)
    assert answer.status_code == 201, answer.text
    watched = Watched(browser, served)
    page = watched.page
    page.get_by_role("button", name="Deutsch").click()
    page.goto(f"{watched.address}/data/{answer.json()['id']}")
    chart = page.locator("#series-chart")
    expect(chart.locator(".legendtext", has_text="rye")).to_have_text(product)
    expect(chart.locator("a")).to_have_count(0)
    expect(chart.locator(".xtick", has_text="3. Mai")).to_be_visible()
    watched.check()


@pytest.mark.skipif(not AXE, reason="GLEAN_AXE doesn't name axe-core's axe.min.js")
def test_no_page_has_a_serious_fault_for_who_sees_or_hears_it_otherwise(
    browser: Browser, served: Served
) -> None:
    """By the rules of axe-core, with everything unfolded, by day and by night."""
    rules = Path(AXE).read_text(encoding="utf-8")
    page = browser.new_page(bypass_csp=True)
    sign_in(page, served)
    for path in PAGES:
        page.goto(f"{served.address}{path}")
        page.wait_for_load_state("networkidle")
        page.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        page.evaluate(rules)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            faults = page.evaluate("axe.run()")["violations"]
            serious = [one["id"] for one in faults if one["impact"] in ("serious", "critical")]
            assert serious == [], (path, scheme)


def test_no_page_is_wider_than_its_window(browser: Browser, served: Served) -> None:
    """On a phone as on a desk; nor does any page fail in its scripts."""
    watched = Watched(browser, served)
    for path in PAGES:
        watched.page.goto(f"{watched.address}/{path}")
        watched.page.wait_for_load_state("networkidle")
        for width in (1280, 360):
            watched.page.set_viewport_size({"width": width, "height": 800})
            wide = watched.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (path, width)
    watched.check()
