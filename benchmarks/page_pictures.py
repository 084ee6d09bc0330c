"""The pictures of pages in README and docs, made again: `python -m benchmarks.page_pictures`.

A simulation of the five synthetic bakeries is run, a plan made of one, and both pages are opened in
Debian's Chromium, as the tests do.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.service.browsers import FLAGS, chromium, sign_in
from tests.service.served import serving

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
TABLE = ROOT / "data" / "bakery_1.csv"

PLAN = ("plan", "--model", "results/latest", "--date", "2025-06-30")

COLOURS = 64
"""As many as a page of text has; the picture is a third as large then."""


def main() -> int:
    """Make both pictures."""
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
            browser.close()
    return 0


def _glean(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "glean", *words], cwd=folder, check=True)


def _keep(page: Page, name: str) -> None:
    picture = Image.open(io.BytesIO(page.screenshot()))
    path = PICTURES / name
    picture.quantize(COLOURS).save(path, optimize=True)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1024:.0f} KB")


if __name__ == "__main__":
    raise SystemExit(main())
