"""The settings of the demand's tables: which are read, and which days are for what."""

from __future__ import annotations

from dataclasses import dataclass

from glean.languages.catalogues import translatable as _
from glean.setting_fields import choice, number, plain


@dataclass(frozen=True)
class WindowSettings:
    """Which days are for training, which for choosing, which for the final test."""

    horizon_days: int = number(1, 1, 28, _("days between the last known sale and the forecast day"))
    test_days: int = number(56, 1, 3650, _("length of the test window when test-start is empty"))
    test_start: str = plain("", _("first day of the test window, like 2019-07-01"))
    validation_days: int = number(28, 1, 3650, _("longest validation window"))


@dataclass(frozen=True)
class TableSettings:
    """Which sales table is read, and how."""

    sales: str = plain("", _("absolute path of a sales table; empty: the synthetic bakeries"))
    scenario: str = choice(
        "related", ("related", "unrelated"), _("which synthetic bakeries, where sales is empty")
    )
    covariates: str = plain("", _("further numeric columns for the model, separated by commas"))
    units_label: str = plain("units", _("what the column units counts, for tables and pictures"))
    holiday_region: str = plain("", _("country or region of the public holidays, like DE-SH"))
    products: str = plain("", _("absolute path of a product list with prices, costs, weights"))
    stock_outs: str = choice(
        "censored", ("censored", "as-sold"), _("what a sold-out day's sales are taken for")
    )
