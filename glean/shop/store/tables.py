"""All tables of the database, each kept by the module of its noun."""

from __future__ import annotations

from glean.shop.store import assortment, baking, choices, closing, coming, exports, mornings, orders

TABLES = (
    choices.TABLE,
    assortment.BAKED,
    assortment.PRODUCTS,
    assortment.TRAYS,
    baking.TICKS,
    baking.CORRECTIONS,
    closing.LEFT_OVERS,
    closing.SOLD_OUT,
    exports.TABLE,
    coming.COMING,
    orders.ORDERS,
    mornings.TABLE,
)
