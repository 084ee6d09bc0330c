"""What a person asks of an import, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from glean.errors import SettingsError
from glean.sales.importing.covariate_files import CovariateFile
from glean.sales.importing.exports import Notation
from glean.sales.importing.kind_layout import KindLayout
from glean.sales.importing.notation import check_choice
from glean.sales.importing.overlaps import OVERLAPS
from glean.sales.importing.selection import Selection
from glean.sales.importing.swapped_days import SWAPPED_DAYS
from glean.sales.product_choice import OnlyThese
from glean.sales.reading.checks import wanted_name
from glean.sales.reading.clock import Clock
from glean.sales.reading.returns import RETURNS
from glean.sales.reading.sales_file import stem_of
from glean.sales.table import KEYS


class Kind(StrEnum):
    """What a line is, as told by `--line-kind`."""

    SALE = "sale"
    RETURN = "return"
    VOID = "void"
    DISCOUNT = "discount"


@dataclass(frozen=True)
class Columns:
    """Which column of the export is what; "" where there is none.

    Parameters
    ----------
    date : str
        Days, or days with times.
    units : str
        What was sold; of till lines the quantity (none: each line is one item).
    bakery, product : str
        Names; without them one bakery `bakery_name` and one product "all".
    closed : str
        1 on days that were closed: their rows are left out.
    kept : mapping of str to str
        Further column -> its name in the sales table.
    category : str
        Kind of product, by which `only` may choose.
    void : str
        1 on voided lines, which are left out; "none" where every line counts, "" to find it.
    kind : str
        What each line is (a sale, return, void or discount); "none" where all are sales, "" to
        find it.
    hours : tuple of str
        Columns of hours, whose sum was sold; in place of `units`.
    """

    date: str = ""
    units: str = ""
    bakery: str = ""
    product: str = ""
    closed: str = ""
    kept: Mapping[str, str] = field(default_factory=dict)
    void: str = ""
    kind: str = ""
    category: str = ""
    hours: tuple[str, ...] = ()

    def named(self) -> list[tuple[str, str]]:
        """Option and column of each that is given."""
        options = [
            ("--date", self.date),
            ("--units", self.units),
            ("--bakery", self.bakery),
            ("--product", self.product),
            ("--closed", self.closed),
            ("--category", self.category),
            ("--void", "" if self.void == "none" else self.void),
            ("--kind", "" if self.kind == "none" else self.kind),
            *(("--keep", column) for column in self.kept),
        ]
        return [(option, column) for option, column in options if column]


@dataclass(frozen=True)
class ImportRequest:
    """One import.

    Parameters
    ----------
    path : Path
        The export, or the first of its files.
    columns : Columns
        What its columns are; found out where the day, or what was sold, isn't told.
    notation : Notation
        How it is written.
    bakery_name : str
        Name of the bakery where no column has it; "" for the name of the file.
    till_lines : bool
        Each line is an item on a ticket; they are summed to days.
    zeros : bool
        Write 0 for open days without a till line of a product, see `with_zero_days`.
    ignored_items : tuple of str
        Products whose lines are left out.
    wide : bool
        Each product has a column.
    products : tuple of str
        These columns of a wide file; empty for all columns of numbers.
    aligned : Path or None
        A file whose columns belong beside those of the export, line by line.
    returns : str or None
        "net" or "drop", see `settle_returns`.
    covariates : CovariateFile or None
        Weather and the like, joined by date.
    region : str
        Region of the public holidays to add, like "DE-SH"; "" for none.
    selection : Selection
        Days and bakeries that are kept.
    swapped_days : str
        "swap" or "keep", see `settle_exchanged`; "" to be asked where days seem exchanged.
    overlap : str
        "drop" or "keep", see `settle_overlaps`; "" to be asked where days stand twice.
    totals : str
        "drop" or "keep" for totals and parts of the date among products, see
        `without_total_columns`; "" to be asked.
    line_kinds : mapping of str to str
        Text in the column of kinds -> a `Kind`.
    only : OnlyThese or None
        Products and categories that are kept; None for all.
    timezone, day_starts : str
        Which stamps belong to a day, see `Clock.of`.
    further : tuple of Path
        More files, whose lines follow those of `path`.
    sheets : tuple of str
        Names of a workbook's sheets, or patterns like "Day *"; empty for all that can be seen.
    kinds : tuple of KindLayout
        What the files and sheets are like, as kept from an earlier export; empty to find it out.
    layout : str
        Name of the file that keeps it, for messages.

    Raises
    ------
    SettingsError
        Options contradict one another, or the name of the bakery won't do.
    """

    path: Path
    columns: Columns = field(default_factory=Columns)
    notation: Notation = field(default_factory=Notation)
    bakery_name: str = ""
    till_lines: bool = False
    zeros: bool = True
    ignored_items: tuple[str, ...] = ()
    wide: bool = False
    products: tuple[str, ...] = ()
    aligned: Path | None = None
    returns: str | None = None
    covariates: CovariateFile | None = None
    region: str = ""
    selection: Selection = field(default_factory=Selection)
    swapped_days: str = ""
    overlap: str = ""
    totals: str = ""
    line_kinds: Mapping[str, str] = field(default_factory=dict)
    only: OnlyThese | None = None
    timezone: str = ""
    day_starts: str = ""
    further: tuple[Path, ...] = ()
    sheets: tuple[str, ...] = ()
    kinds: tuple[KindLayout, ...] = ()
    layout: str = ""

    def __post_init__(self) -> None:
        columns = self.columns
        if columns.bakery and self.bakery_name:
            raise SettingsError("--bakery-name: found --bakery as well; wanted one of the two")
        if self.returns not in (None, *RETURNS):
            raise SettingsError(f"--returns: found {self.returns!r}; wanted net or drop")
        if self.wide and (self.till_lines or columns.product or columns.units):
            raise SettingsError(
                "--wide: each product has a column; wanted no --till-lines, --product, --units"
            )
        if self.products and not self.wide:
            raise SettingsError("--products: columns of a wide file; wanted --wide as well")
        if taken := {*KEYS, "units"} & set(columns.kept.values()):
            raise SettingsError(f"--keep: found the name {min(taken)!r}; wanted one not yet taken")
        check_choice("--swapped-days", self.swapped_days, ("", *SWAPPED_DAYS))
        check_choice("--totals", self.totals, ("", "drop", "keep"))
        for kind in self.line_kinds.values():
            check_choice("--line-kind", kind, [known.value for known in Kind])
        Clock.of(self.timezone, self.day_starts)
        check_choice("--overlap", self.overlap, ("", *OVERLAPS))
        self._refuse_two_roles()
        self._refuse_some_of_several()
        if self.is_complete:
            self._refuse_what_is_missing()

    @property
    def is_complete(self) -> bool:
        """Whether enough is told, so that no column has to be found."""
        sold = self.wide or self.till_lines or self.columns.units or self.columns.hours
        return bool(self.columns.date and sold and not self.kinds)

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files whose lines are read, in order."""
        return (self.path, *self.further)

    @property
    def source(self) -> str:
        """All files in a few words, for messages."""
        more = f" and {len(self.further)} more" if self.further else ""
        return f"{self.path}{more}"

    @property
    def clock(self) -> Clock:
        """Which stamps belong to a day."""
        return Clock.of(self.timezone, self.day_starts)

    @property
    def one_bakery(self) -> str:
        """Name of the bakery where no column has it."""
        return self.bakery_name or stem_of(self.path)

    def _refuse_some_of_several(self) -> None:
        if not self.further:
            return
        if self.aligned is not None:
            raise SettingsError(
                "--align-rows: found several FILEs; wanted one, to go with it line by line"
            )
        if len(set(self.paths)) < len(self.paths):
            again = next(path for path in self.paths if self.paths.count(path) > 1)
            raise SettingsError(f"FILE: found {again} twice; wanted each once")

    def _refuse_what_is_missing(self) -> None:
        if self.ignored_items and not self.columns.product:
            raise SettingsError("--ignore-item: wanted --product as well, the column of the items")
        if self.further and not (self.columns.bakery or self.bakery_name):
            raise SettingsError(
                "--bakery-name: found several FILEs and no name; wanted the name of the one bakery "
                "that they are of, or --bakery, the column of the bakery"
            )
        wanted = "" if self.columns.bakery else wanted_name(self.one_bakery, "bakery")
        if wanted:
            raise SettingsError(f"--bakery-name: found {self.one_bakery!r}; wanted {wanted}")

    def _refuse_two_roles(self) -> None:
        taken: dict[str, str] = {}
        for option, column in [*self.columns.named(), *(("--products", p) for p in self.products)]:
            if column in taken:
                found = f"the column {column!r} twice, {taken[column]} and {option}"
                raise SettingsError(f"{option}: found {found}; wanted a column of its own for each")
            taken[column] = option
