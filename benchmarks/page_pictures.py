"""The pictures of pages in README and docs, made again: `python -m benchmarks.page_pictures`.

A simulation of the five synthetic bakeries is run and a plan made of one; its own page (`glean
shop`) plans the same day by its sales. The pages are opened in Debian's Chromium, as the tests do.
"""

from __future__ import annotations

import datetime as dt
import io
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from glean.shop.app import create_app
from glean.shop.parts import open_shop
from glean.shop.serving import LOOPBACK, listen
from glean.shop.settings import shop_settings
from tests.service.browsers import FLAGS, chromium, sign_in
from tests.service.served import serving

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
TABLE = ROOT / "data" / "bakery_1.csv"

PLAN = ("plan", "--model", "results/latest", "--date", "2025-06-30")

FIVE_IN_THE_MORNING = dt.datetime(2025, 6, 30, 5, tzinfo=dt.UTC)
PHONE = {"width": 390, "height": 844}

COLOURS = 64
"""As many as a page of text has; the picture is a third as large then."""


def main() -> int:
    """Make all three pictures."""
    with tempfile.TemporaryDirectory(prefix="glean-") as folder:
        scratch = Path(folder)
        _glean(scratch, "simulate", "--engine", "inprocess")
        _glean(scratch, *PLAN, "--sales", str(TABLE))
        with serving(scratch) as served, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
            page = browser.new_page(
                locale="en-GB", viewport={"width": 1100, "height": 900}, color_scheme="light"
            )
            sign_in(page, served)
            run = served.http.get("/api/v1/runs").json()["runs"][0]["id"]
            page.goto(f"{served.address}runs/{run}")
            page.wait_for_load_state("networkidle")
            _keep(page, "run-page.png")
            page.goto((scratch / "bake-plan.html").as_uri())
            _keep(page, "plan-page.png")
            _picture_of_the_shop(browser, scratch)
            browser.close()
    return 0


def _picture_of_the_shop(browser: Browser, scratch: Path) -> None:
    page = browser.new_page(locale="en-GB", viewport=PHONE, color_scheme="light")
    with _shop(scratch) as address:
        page.goto(address)
        for name in ("more wheat roll", "wheat roll is done"):
            page.get_by_role("button", name=name, exact=True).click()
        page.locator("#list[aria-busy]").wait_for(state="detached")
        page.evaluate("document.activeElement.blur()")
        _keep(page, "shop-page.png")


@contextmanager
def _shop(scratch: Path) -> Iterator[str]:
    """Serve the bakery's own page with a plan; by a clock that stands at that day's morning."""
    home = scratch / "home"
    home.mkdir()
    sales = Path(shutil.copy(TABLE, home))
    shop = open_shop(shop_settings(home, sales=sales), clock=lambda: FIVE_IN_THE_MORNING)
    shop.planner.make()
    open_socket = listen(LOOPBACK, 0)
    address = f"http://{LOOPBACK}:{open_socket.getsockname()[1]}"
    server = uvicorn.Server(
        uvicorn.Config(create_app(shop, origins=[address]), log_level="warning", access_log=False)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [open_socket]})
    thread.start()
    while thread.is_alive() and not server.started:
        time.sleep(0.05)
    try:
        yield address
    finally:
        server.should_exit = True
        thread.join()
        open_socket.close()


def _glean(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "glean", *words], cwd=folder, check=True)


def _keep(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot()))
    path = PICTURES / name
    picture.quantize(COLOURS).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    raise SystemExit(main())
