"""What is done beside the pages: plans are made anew when something that they go by has changed."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from glean.errors import GleanError
from glean.shop.parts import Shop
from glean.shop.plans.planner import LOOK_S, lines_of
from glean.shop.plans.routine import claim_if_due, go_through

LOG = logging.getLogger("glean.shop")


class Background:
    """A thread that looks now and then.

    Parameters
    ----------
    shop : Shop
        The shop's parts.
    """

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shop", daemon=True)

    def start(self) -> None:
        """Look now, and from then on."""
        self._thread.start()

    def close(self) -> None:
        """Look no more; a plan that is being made is given up with its worker."""
        self._end.set()
        self._shop.wake.set()

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self.look()
            except Exception:  # the pages go on whatever it was, and so does the next look
                LOG.exception("a look at plans and exports failed")
            self._shop.wake.wait(LOOK_S)
            self._shop.wake.clear()

    def look(self) -> None:
        """Do what is due."""
        if claim_if_due(self._shop):
            go_through(self._shop)
        till, planner = self._shop.till, self._shop.planner
        looks = (till.look, till.bring_times, planner.look, self._shop.savings.look)
        for step in (self._look_for_exports, *looks):
            try:
                step()
            except GleanError as error:
                LOG.warning("%s", error)

    def _look_for_exports(self) -> None:
        folder = self._shop.choices.get("exports-folder", "")
        self._shop.till.folder_failed = ()
        if folder:
            try:
                self._shop.till.look_into(Path(folder))
            except GleanError as error:
                self._shop.till.folder_failed = lines_of(error)
                raise
