"""When plans are made: at the start, and whenever something that they go by has changed."""

from __future__ import annotations

import datetime as dt
import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glean.errors import GleanError, SalesError
from glean.operations.shop.shop_plans import ShopRequest, make_shop_plans
from glean.operations.worker_pool import WorkerPool
from glean.runs.folder import write_whole
from glean.runs.model_card import MODEL_NAMES
from glean.sales.told_day import ToldDay
from glean.shop.plans.kept_plans import KeptPlans
from glean.shop.settings import ShopSettings
from glean.shop.store.assortment import Assortment, trays_by_weekday
from glean.shop.store.baking import Baking
from glean.shop.store.choices import Choices
from glean.shop.store.coming import Coming, ComingDays
from glean.shop.store.orders import Orders

LOG = logging.getLogger("glean.shop")

COMING = "coming.csv"
"""In the page's folder: what is known of the days to come, if anything is."""

PRODUCTS = "products.json"

AHEAD = "ahead.json"

LOOK_S = 20.0
"""How often it looks whether a file has changed."""


@dataclass(frozen=True)
class PlanState:
    """How plans stand.

    Parameters
    ----------
    making : bool
        Whether one is being made.
    failed : tuple of str
        Why the last attempt came to nothing; empty where it didn't.
    """

    making: bool = False
    failed: tuple[str, ...] = ()


class Planner:
    """Makes plans in a worker process, and keeps them.

    Parameters
    ----------
    settings : ShopSettings
        How the page is set up.
    plans : KeptPlans
        Where plans go.
    choices : Choices
        The shop's choices.
    assortment : Assortment
        What is baked, and how.
    baking : Baking
        What is done already: a list that was begun doesn't change.
    workers : WorkerPool
        Where pandas and XGBoost are.
    clock : callable
        Gives the local time.
    coming : Coming
        What is known of days to come.
    orders : Orders
        What is ordered.
    """

    def __init__(
        self,
        settings: ShopSettings,
        plans: KeptPlans,
        choices: Choices,
        assortment: Assortment,
        baking: Baking,
        workers: WorkerPool,
        clock: Callable[[], dt.datetime],
        coming: Coming,
        orders: Orders,
    ) -> None:
        self._settings = settings
        self._plans = plans
        self._choices = choices
        self._assortment = assortment
        self._baking = baking
        self._workers = workers
        self._clock = clock
        self._coming = coming
        self._orders = orders
        self._lock = threading.Lock()
        self._tried = ""
        self.state = PlanState()

    def products(self) -> list[dict[str, Any]]:
        """Give the products of late, as `make_shop_plans` lists them."""
        try:
            found: list[dict[str, Any]] = json.loads(
                (self._settings.folder / PRODUCTS).read_bytes()
            )
        except (OSError, ValueError):
            return []
        return found

    def ahead(self) -> dict[str, Any]:
        """Give what was known of the weeks ahead when plans were made; empty before."""
        try:
            found: dict[str, Any] = json.loads((self._settings.folder / AHEAD).read_bytes())
        except (OSError, ValueError):
            return {}
        return found

    def look(self) -> bool:
        """Make plans if something that they go by has changed since; say whether they were made."""
        now = self._fingerprint()
        if now in (self._tried, self._choices.get("planned-by")):
            return False
        self.make()
        return True

    def make(self) -> PlanState:
        """Make plans now; what went wrong is in the state that is returned."""
        with self._lock:
            fingerprint = self._fingerprint()
            self.state = PlanState(making=True, failed=self.state.failed)
            try:
                self._make()
            except GleanError as error:
                self.state = PlanState(failed=lines_of(error))
                LOG.warning("no plan: %s", error)
            except BaseException:
                self.state = PlanState(failed=("",))
                raise
            else:
                self._choices.put(**{"planned-by": fingerprint})
                self.state = PlanState()
            self._tried = fingerprint
            return self.state

    def request(self) -> ShopRequest:
        """Say what plans are asked for, by all that is known here."""
        coming, today = self._settings.folder / COMING, self._clock().date()
        return ShopRequest(
            home=self._settings.home,
            sales=self._settings.sales,
            today=today,
            bakery=self._settings.bakery,
            products=self._settings.products,
            coming=coming if coming.is_file() else None,
            region=self._choices.get("region", ""),
            baked=self._assortment.baked(),
            least=float(self._choices.get("least-units", 0.0)),
            settings=self._assortment.said(),
            trays=trays_by_weekday(self._assortment.trays()),
            told=tuple(each_told_day(self._coming.since(today), today)),
            school_region=self._choices.get("school-region", ""),
            orders=tuple(order for order in self._orders.firm() if order.rung_up),
            weather_url=self._settings.weather if self._choices.get("place") else "",
            place=_place(self._choices.get("place")),
        )

    def _make(self) -> None:
        made = self._workers.run(make_shop_plans, self.request())
        self._plans.keep(
            [plan for plan in made["plans"] if not self._is_begun(plan)], self._clock()
        )
        products = json.dumps(made["products"], ensure_ascii=False).encode()
        write_whole(self._settings.folder / PRODUCTS, products)
        ahead = json.dumps(made["ahead"], ensure_ascii=False).encode()
        write_whole(self._settings.folder / AHEAD, ahead)

    def _is_begun(self, plan: Mapping[str, Any]) -> bool:
        day = dt.date.fromisoformat(plan["date"])
        return self._plans.of(day) is not None and bool(self._baking.ticked(day))

    def _fingerprint(self) -> str:
        """Name all that plans go by; a file by its size and the time of its last change."""
        request = self.request()
        files = [
            request.sales,
            *(path for path in (request.products, request.coming) if path is not None),
            *(request.home / name for name in MODEL_NAMES),
        ]
        return repr((request, [changed(path) for path in files]))


def each_told_day(coming: Iterable[ComingDays], today: dt.date) -> Iterator[ToldDay]:
    """Say of each day what the forecast can go by; until the last school holiday all are known."""
    known = list(coming)
    school = [one for one in known if one.kind == "school"]
    last = max((one.last for one in school), default=today - dt.timedelta(days=1))
    for k in range((last - today).days + 1):
        yield ToldDay(today + dt.timedelta(days=k), school_holiday=0.0)
    for one in known:
        for day in one.days():
            match one.kind:
                case "closed":
                    yield ToldDay(day, one.product, open=0.0)
                case "open":
                    yield ToldDay(day, one.product, open=1.0)
                case "promotion":
                    yield ToldDay(day, one.product, promotion=1.0)
                case "school":
                    yield ToldDay(day, school_holiday=1.0)


def _place(found: Any) -> tuple[float, float] | None:
    return None if not found else (float(found[0]), float(found[1]))


def changed(path: Path) -> tuple[int, int] | None:
    """Give a file's size and the time of its last change, by which a change is told."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def lines_of(error: GleanError) -> tuple[str, ...]:
    """Give what is wrong in lines; of a table by the file's name alone."""
    if isinstance(error, SalesError):
        return tuple(
            str(item).replace(item.source, Path(item.source).name) for item in error.problems
        )
    return tuple(str(error).splitlines())
