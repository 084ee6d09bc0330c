"""What the end of a run is to the federation: the seam at which a workload writes its results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, cast

from glean.federation.coordination.exchange import ClientExchange
from glean.federation.server.training_loop import TrainingLoop, TrainingResult
from glean.federation.wire.messages import ClientInfo
from glean.federation.workload.registry import load
from glean.languages.language import ENGLISH, Language
from glean.runs.folder import RunFolder
from glean.settings import RunSettings
from glean.workloads import WORKLOADS


@dataclass(frozen=True)
class FinishedRounds:
    """A run whose rounds are done and whose final test is still to come.

    Parameters
    ----------
    settings : RunSettings
        The run's settings.
    loop : TrainingLoop
        To ask the clients for their final test.
    clients : ClientExchange
        Where a client is named whose scores can't be read.
    result : TrainingResult
        What the rounds came to.
    infos : mapping of str to ClientInfo
        What each client said in the beginning.
    newcomers : frozenset of str
        Clients that play newcomers.
    folder : RunFolder
        The run's folder.
    """

    settings: RunSettings
    loop: TrainingLoop
    clients: ClientExchange
    result: TrainingResult
    infos: Mapping[str, ClientInfo]
    newcomers: frozenset[str]
    folder: RunFolder

    @property
    def deployed(self) -> bool:
        """Whether clients have data of their own."""
        return any(info.own_table for info in self.infos.values())


@dataclass(frozen=True)
class ResultTable:
    """The final result as a table with sentences above and beneath.

    Parameters
    ----------
    title : str
        Above the table.
    heads : tuple of str
        Of the columns; the first one names rows.
    rows : tuple of tuple of str
        Cells.
    best : frozenset of int
        Rows that are set off.
    sentences : tuple of str
        Beneath, those that aren't empty.
    lead : tuple of str
        Above it: what a person asks first.
    """

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    best: frozenset[int]
    sentences: tuple[str, ...]
    lead: tuple[str, ...] = ()


@dataclass(frozen=True)
class CardFacts:
    """What a workload has to say on the card of a run's final model; plain values of JSON.

    Parameters
    ----------
    use : str
        What the model is for.
    data : mapping
        What it learned from.
    scores : sequence of mapping
        What the final test came to, a row a method; empty before it.
    weak_points : sequence of str
        Where it does badly, in sentences.
    privacy : mapping
        What clients themselves promise of their data, beside what is said of sums.
    """

    use: str
    data: Mapping[str, Any]
    scores: Sequence[Mapping[str, Any]] = ()
    weak_points: Sequence[str] = ()
    privacy: Mapping[str, Any] = field(default_factory=dict)


class Conclusion(Protocol):
    """How a workload's run ends."""

    def run_facts(self, settings: RunSettings, *, deployed: bool) -> dict[str, Any]:
        """Give what `run.json` says of the workload."""

    def caution(self, settings: RunSettings, *, clients: int) -> str:
        """Say before the rounds why so many clients may be too few for the settings; "" if not."""

    def card_facts(self, run: FinishedRounds, *, tested: bool) -> CardFacts:
        """Say what the final model's card needs.

        Between machines it goes to every client, so before the final test it says nothing that a
        client mustn't know of the others.

        Parameters
        ----------
        run : FinishedRounds
            The run.
        tested : bool
            Whether the run has concluded, and the scores are in its folder.
        """

    def conclude(self, run: FinishedRounds) -> str:
        """Have the final model tested and write the results; the summary as a sentence.

        Raises
        ------
        FederationError
            Nobody gave a valid reply.
        """

    def write_report(self, folder: Path, language: Language = ENGLISH) -> Path:
        """Write `report.html` into a run's folder, from what lies there; its path.

        Raises
        ------
        GleanError
            The folder is no run's, or a file is damaged.
        """

    def report_html(self, folder: Path, language: Language) -> str:
        """Make the same page and write nothing; raises as `write_report`."""

    def write_client_page(self, folder: Path, client: str, language: Language = ENGLISH) -> Path:
        """Write the page of one client of a completed run; its path.

        Raises
        ------
        GleanError
            There is no such client, or the workload makes no such pages.
        """

    def measure_sizes(self, folder: Path, client_app: str, *, workers: int) -> Iterator[int]:
        """Measure what more clients bring; each number of them once it is measured.

        Parameters
        ----------
        folder : Path
            The run's.
        client_app : str
            Where the app is that plays the clients, like "glean.client_app:app".
        workers : int
            How many processes share the work.

        Raises
        ------
        GleanError
            The data of the run isn't here.
        """

    def result_table(self, folder: Path, language: Language = ENGLISH) -> ResultTable:
        """Make the final table of a completed run.

        Raises
        ------
        GleanError
            The run has no final scores.
        """


def conclusion_of(workload: str) -> Conclusion:
    """Give the conclusion of a workload, by its name in the run config."""
    return cast("Conclusion", load(WORKLOADS[workload].conclusion))
