"""Where pages lead: the tabs at the bottom, and the list of further ones behind the last."""

from __future__ import annotations

from glean.languages.catalogues import translatable

TABS = (
    ("/", translatable("Bake")),
    ("/closing", translatable("Evening")),
    ("/review", translatable("Look back")),
    ("/products", translatable("Products")),
    ("/more", translatable("More")),
)
"""Address and name of each tab."""

MORE: tuple[tuple[str, str], ...] = (
    ("/savings", translatable("What the plan brings")),
    ("/week", translatable("The week")),
    ("/coming", translatable("Coming days")),
    ("/orders", translatable("Orders")),
    ("/weather", translatable("Weather")),
    ("/exports", translatable("Sales from the till")),
    ("/mornings", translatable("Every morning")),
    ("/members", translatable("Members and privacy")),
    ("/phone", translatable("On the phone")),
)
"""Address and name of each page behind "More"."""
