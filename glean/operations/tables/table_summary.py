"""A sales table in a few plain values, for whoever keeps tables and lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from glean.errors import SalesError
from glean.languages.language import LANGUAGES, LanguageCode, language


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
    remarks : mapping of str to tuple of str
        What the data check says, by language; English is always there.
    verdict : mapping of str to str
        Whether it can be used, by language; English is always there.
    """

    bakeries: tuple[str, ...]
    products: int
    first_day: str
    last_day: str
    remarks: Mapping[LanguageCode, tuple[str, ...]]
    verdict: Mapping[LanguageCode, str]

    def remarks_in(self, code: LanguageCode) -> tuple[str, ...]:
        """Give the remarks in a language, or in English where they were made in that alone."""
        return self.remarks.get(code, self.remarks["en"])

    def verdict_in(self, code: LanguageCode) -> str:
        """Give the verdict, as `remarks_in` does the remarks."""
        return self.verdict.get(code, self.verdict["en"])


def summarise_table(path: Path) -> TableSummary:
    """Look a sales table over, and say in all languages what is worth a look.

    Raises
    ------
    SalesError
        It can't be used; with every problem.
    """
    # Here, since whoever only keeps summaries does without pandas and its memory.
    from glean.operations.tables.remarks import remarks_of
    from glean.operations.tables.table_check import verdict
    from glean.sales.quality.data_check import examine

    report = replace(examine(path), source=path.name)
    if report.problems:
        raise SalesError(report.problems)
    spans = [bakery.opening for bakery in report.bakeries]
    return TableSummary(
        bakeries=tuple(bakery.bakery for bakery in report.bakeries),
        products=sum(len(bakery.products) for bakery in report.bakeries),
        first_day=min(span.first for span in spans).isoformat(),
        last_day=max(span.last for span in spans).isoformat(),
        remarks={code: tuple(remarks_of(report, language(code))) for code in LANGUAGES},
        verdict={code: verdict(report, language(code)) for code in LANGUAGES},
    )
