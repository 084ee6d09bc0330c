"""A sales table in a few plain values, for whoever keeps tables and lists them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from glean.errors import SalesError


@dataclass(frozen=True)
class TableSummary:
    """What is in a table, and what is worth a look in it.

    Parameters
    ----------
    bakeries : tuple of str
        Their names, in the order of the check.
    products : int
        Products of all bakeries, each counted once a bakery.
    first_day, last_day : str
        ISO dates.
    remarks : tuple of str
        What the data check says.
    verdict : str
        Whether it can be used.
    """

    bakeries: tuple[str, ...]
    products: int
    first_day: str
    last_day: str
    remarks: tuple[str, ...]
    verdict: str


def summarise_table(path: Path) -> TableSummary:
    """Look a sales table over.

    Raises
    ------
    SalesError
        It can't be used; with every problem.
    """
    # Here, since whoever only keeps summaries does without pandas and its memory.
    from glean.operations.table_check import check_table, verdict

    check = check_table(path)
    report = replace(check.report, source=path.name)
    if report.problems:
        raise SalesError(report.problems)
    spans = [bakery.opening for bakery in report.bakeries]
    return TableSummary(
        bakeries=tuple(bakery.bakery for bakery in report.bakeries),
        products=sum(len(bakery.products) for bakery in report.bakeries),
        first_day=min(span.first for span in spans).isoformat(),
        last_day=max(span.last for span in spans).isoformat(),
        remarks=check.remarks,
        verdict=verdict(report),
    )
