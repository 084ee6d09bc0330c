"""Debian's Chromium, as tests and pictures start it, and signing in with it."""

from __future__ import annotations

import shutil

from playwright.sync_api import Page

from tests.service.served import Served

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""As root, without a display, and silent: it would look for updates."""


def chromium() -> str | None:
    """Find it; None where it isn't installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def sign_in(page: Page, served: Served) -> None:
    """Sign in with the service's first token; leads to the overview."""
    page.goto(f"{served.address}login")
    page.get_by_label("Your token").fill(served.token)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url(served.address)
