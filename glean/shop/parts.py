"""The parts that the pages of a shop work with, opened together and closed together."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request

from glean.operations.worker_pool import WorkerPool
from glean.shop.lan.certificate import HomeCertificate
from glean.shop.lan.token import DeviceToken
from glean.shop.plans.kept_plans import KeptPlans
from glean.shop.plans.planner import Planner
from glean.shop.plans.savings import Savings
from glean.shop.plans.till import Till
from glean.shop.settings import ShopSettings
from glean.shop.store.assortment import Assortment
from glean.shop.store.baking import Baking
from glean.shop.store.choices import Choices
from glean.shop.store.closing import Closing
from glean.shop.store.coming import Coming
from glean.shop.store.database import ShopDatabase
from glean.shop.store.exports import Exports
from glean.shop.store.mornings import Mornings
from glean.shop.store.orders import Orders
from glean.shop.store.tables import TABLES

Clock = Callable[[], dt.datetime]


@dataclass(frozen=True)
class Lan:
    """How the page is reached on the shop's own network.

    Parameters
    ----------
    origins : tuple of str
        Its addresses there, the one for a phone first.
    token : DeviceToken
        What a device shows once.
    certificate : HomeCertificate
        What it is known by.
    """

    origins: tuple[str, ...]
    token: DeviceToken
    certificate: HomeCertificate


@dataclass(frozen=True)
class Shop:
    """A shop's parts.

    Parameters
    ----------
    settings : ShopSettings
        How its page is set up.
    database : ShopDatabase
        What people entered; the stores below read and write it.
    choices : Choices
        What was chosen once.
    assortment : Assortment
        What is baked, and how.
    baking : Baking
        Ticks and corrections.
    closing : Closing
        Left-overs and sold-out times.
    exports : Exports
        Exports that were read.
    coming : Coming
        What is known of days to come.
    orders : Orders
        What is ordered.
    mornings : Mornings
        Mornings that went through.
    plans : KeptPlans
        Plans that were made.
    planner : Planner
        What makes them.
    savings : Savings
        What they have brought.
    till : Till
        What brings sales into the table.
    workers : WorkerPool
        A process for what needs pandas.
    clock : callable
        Gives the local time, with its zone.
    wake : Event
        Set by pages, so that the thread beside them looks now.
    lan : Lan or None
        How it is reached on the shop's network; None where only this machine reaches it.
    """

    settings: ShopSettings
    database: ShopDatabase
    choices: Choices
    assortment: Assortment
    baking: Baking
    closing: Closing
    exports: Exports
    coming: Coming
    orders: Orders
    mornings: Mornings
    plans: KeptPlans
    planner: Planner
    savings: Savings
    till: Till
    workers: WorkerPool
    clock: Clock
    wake: threading.Event = field(default_factory=threading.Event)
    lan: Lan | None = None

    @property
    def today(self) -> dt.date:
        """The day by the shop's clock."""
        return self.clock().date()

    def close(self) -> None:
        """End what was started."""
        self.workers.close()


def local_time() -> dt.datetime:
    """Give the local time, with its zone."""
    return dt.datetime.now(dt.UTC).astimezone()


def open_shop(settings: ShopSettings, clock: Clock = local_time) -> Shop:
    """Open a shop's parts.

    Raises
    ------
    GleanError
        The home can't be written to, or its database can't be used.
    """
    database = ShopDatabase(settings.database, TABLES)
    choices, assortment = Choices(database), Assortment(database)
    plans, workers = KeptPlans(settings.folder / "plans"), WorkerPool()
    closing, exports = Closing(database), Exports(database)
    coming, orders = Coming(database), Orders(database)
    baking = Baking(database)
    planner = Planner(settings, plans, choices, assortment, baking, workers, clock, coming, orders)
    return Shop(
        settings=settings,
        database=database,
        choices=choices,
        assortment=assortment,
        baking=baking,
        closing=closing,
        exports=exports,
        coming=coming,
        orders=orders,
        mornings=Mornings(database),
        plans=plans,
        savings=Savings(settings, plans, closing, orders, workers),
        planner=planner,
        till=Till(settings, exports, closing, workers, clock),
        workers=workers,
        clock=clock,
    )


def shop_of(request: Request) -> Shop:
    """Give the parts of the application that a request is for."""
    found: Shop = request.app.state.shop
    return found
