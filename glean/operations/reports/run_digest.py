"""What a run came to, as plain values: what is thrown away, how far off, by bakery."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from glean.languages.language import Language, LanguageCode, language


@dataclass(frozen=True)
class RunDigest:
    """What a run came to.

    Parameters
    ----------
    lead : tuple of str
        What a person asks first: how much less is thrown away, in sentences.
    title : str
        Of the table.
    heads : tuple of str
        Of its columns; the first one names rows.
    rows : tuple of tuple of str
        Its cells.
    best : tuple of int
        Rows that are set off.
    sentences : tuple of str
        What follows from the table.
    by_bakery : dict of str to dict of str to float
        Bakery -> method -> WAPE; empty where bakeries keep their scores at home.
    beside : tuple of (str, float)
        What bakeries can do by themselves, and its error on the days that rounds are scored on.
    """

    lead: tuple[str, ...]
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: tuple[int, ...]
    sentences: tuple[str, ...]
    by_bakery: dict[str, dict[str, float]]
    beside: tuple[tuple[str, float], ...]


def digest_run(folder: Path, code: LanguageCode = "en") -> RunDigest:
    """Read what a completed run came to, in one of the `LANGUAGES`.

    Raises
    ------
    GleanError
        The folder is no completed run's, or damaged.
    """
    # Here, since whoever only keeps digests does without pandas and Flower.
    from glean.operations.reports.report import result_of_run
    from glean.runs.index import read_run
    from glean.workloads import DEFAULT_WORKLOAD

    speaks = language(code)
    result = result_of_run(folder, speaks)
    of_demand = read_run(folder).settings.get("workload", DEFAULT_WORKLOAD) == DEFAULT_WORKLOAD
    return RunDigest(
        lead=result.lead,
        title=result.title,
        heads=result.heads,
        rows=result.rows,
        best=tuple(sorted(result.best)),
        sentences=tuple(sentence for sentence in result.sentences if sentence),
        by_bakery=_by_bakery(folder) if of_demand else {},
        beside=_beside(folder, speaks) if of_demand else (),
    )


def _beside(folder: Path, speaks: Language) -> tuple[tuple[str, float], ...]:
    from glean.evaluation.tables.choices import WITHOUT_FEDERATION, errors_without_federation
    from glean.evaluation.tables.results import read_results

    choices = read_results(folder).choices
    found = {} if choices is None else errors_without_federation(choices)
    return tuple((speaks.translate(WITHOUT_FEDERATION[m]), error) for m, error in found.items())


def _by_bakery(folder: Path) -> dict[str, dict[str, float]]:
    from glean.evaluation.tables.results import read_results
    from glean.sales.table import ALL_BAKERIES

    scores = read_results(folder).scores
    if scores is None:
        return {}
    single = scores[scores["bakery"] != ALL_BAKERIES].dropna(subset=["wape"])
    by_bakery: dict[str, dict[str, float]] = {}
    columns = (single[name] for name in ("bakery", "method", "wape"))
    for bakery, method, wape in zip(*columns, strict=True):
        by_bakery.setdefault(bakery, {})[method] = float(wape)
    return by_bakery
