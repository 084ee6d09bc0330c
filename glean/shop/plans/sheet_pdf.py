"""The sheet for the wall as a PDF, made by a browser that is on the computer already."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess  # nosec B404
import tempfile
from contextlib import suppress
from pathlib import Path

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "microsoft-edge-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
"""Those that print without a window; the first that is there is taken."""

_SILENT = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-pdf-header-footer",
)

_WAIT_S = 60


def browser() -> str | None:
    """Find a browser that can print; None where there is none."""
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


def sheet_as_pdf(html: str, folder: Path) -> bytes | None:
    """Make a PDF of a page.

    Parameters
    ----------
    html : str
        The page.
    folder : Path
        For files on the way there; one that a browser in a sandbox of its own may read too, as
        `/tmp` isn't for those of snap.

    Returns
    -------
    bytes or None
        None where there is no browser, or it didn't make one.
    """
    command = browser()
    if command is None:
        return None
    try:
        with tempfile.TemporaryDirectory(prefix="print-", dir=folder) as name:
            scratch = Path(name)
            page, made = scratch / "sheet.html", scratch / "sheet.pdf"
            page.write_text(html, "utf-8")
            # A profile of its own: a browser that is open would take the page over and print none.
            _run([command, *_SILENT, f"--user-data-dir={scratch / 'profile'}",
                  *_as_root(), f"--print-to-pdf={made}", page.as_uri()])  # fmt: skip
            content = made.read_bytes()
    except OSError:
        return None
    return content if content.startswith(b"%PDF") else None


def _as_root() -> list[str]:
    """Chromium's sandbox refuses root; the page is our own, and has no script."""
    return ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


def _run(command: list[str]) -> None:
    """Run it to its end; one that hangs is ended with all that it started."""
    process = subprocess.Popen(  # noqa: S603 # nosec B603 # a list without anybody's words
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_WAIT_S)
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
