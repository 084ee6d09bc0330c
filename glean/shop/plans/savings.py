"""What the plan has brought so far, counted in a worker process when something has changed."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

from glean.operations.shop.shop_savings import SavingsRequest, shop_savings
from glean.operations.worker_pool import WorkerPool
from glean.runs.folder import write_whole
from glean.shop.plans.kept_plans import KeptPlans
from glean.shop.plans.planner import changed
from glean.shop.settings import ShopSettings
from glean.shop.store.closing import Closing
from glean.shop.store.orders import Orders

FILE = "savings.json"

LOOK_BACK_DAYS = 100
"""Days of which left-overs count."""

_OF_THE_HOME = ("plan.csv", "alone.csv", "days.csv", "privacy-ledger.json", "model_card.json")


class Savings:
    """Counts what was saved.

    Parameters
    ----------
    settings : ShopSettings
        How the page is set up.
    plans : KeptPlans
        Plans that were made.
    closing : Closing
        Left-overs.
    orders : Orders
        What is ordered.
    workers : WorkerPool
        Where pandas is.
    """

    def __init__(
        self,
        settings: ShopSettings,
        plans: KeptPlans,
        closing: Closing,
        orders: Orders,
        workers: WorkerPool,
    ) -> None:
        self._settings = settings
        self._plans = plans
        self._closing = closing
        self._orders = orders
        self._workers = workers
        self._counted = ""

    def values(self) -> dict[str, Any]:
        """Give what was counted last, as `shop_savings` does; empty before."""
        try:
            found: dict[str, Any] = json.loads((self._settings.folder / FILE).read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def look(self) -> bool:
        """Count if something has changed; say whether it was counted."""
        request = self._request()
        files = [request.sales, *(request.home / name for name in _OF_THE_HOME)]
        fingerprint = repr((request, self._plans.days(), [changed(path) for path in files]))
        if fingerprint == self._counted:
            return False
        found = self._workers.run(shop_savings, request)
        content = json.dumps(found, ensure_ascii=False).encode()
        write_whole(self._settings.folder / FILE, content)
        self._counted = fingerprint
        return True

    def _request(self) -> SavingsRequest:
        days = self._plans.days()[-LOOK_BACK_DAYS:]
        left: dict[dt.date, dict[str, float]] = {
            day: found for day in days if (found := self._closing.left_over(day))
        }
        return SavingsRequest(
            home=self._settings.home,
            sales=self._settings.sales,
            plans=Path(self._settings.folder / "plans"),
            bakery=self._settings.bakery,
            left_over=left,
            orders=tuple(order for order in self._orders.firm() if order.rung_up),
        )
