"""The phases of a run that no round tells of: what a run does in them, and when each began."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from glean.languages.catalogues import translatable
from glean.languages.language import Language
from glean.languages.vocabulary import Worded
from glean.runs.event_row import Event


class Phase(StrEnum):
    """What a run does while no round is finished."""

    REGISTRATION = "registration"
    PREPARATION = "preparation"
    FINAL_TEST = "final_test"
    DIAGNOSIS = "diagnosis"
    REPORT = "report"


_SENTENCES = {
    Phase.REGISTRATION: Worded(
        translatable("Waiting for the bakeries to report."),
        translatable("Waiting for the clients to report."),
    ),
    Phase.PREPARATION: Worded(
        translatable(
            "The bakeries agree on the model's inputs and prepare their tables: the first round "
            "takes longer than the others."
        ),
        translatable(
            "The clients agree on the model's inputs and prepare their data: the first round takes "
            "longer than the others."
        ),
    ),
    Phase.FINAL_TEST: Worded(
        translatable(
            "The rounds are done. Each bakery refines the model on its own sales, chooses what it "
            "bakes by, and tests that on days that no model has seen."
        ),
        translatable(
            "The rounds are done. Each client tests the model on rows that it wasn't fitted to."
        ),
    ),
    Phase.DIAGNOSIS: Worded(
        translatable(
            "What a simulation can compare: all sales in one place, plans against habits."
        ),
        translatable("What a simulation can look at: the data of all clients in one place."),
    ),
    Phase.REPORT: translatable("The report is written."),
}


@dataclass(frozen=True)
class PhaseStarted(Event):
    """A phase began."""

    kind: ClassVar[str] = "phase_started"
    phase: str

    def sentence_in(self, language: Language) -> str:
        """Say what is done in it; of a phase that isn't known its name."""
        known = self.phase in set(Phase)
        return language.gettext(_SENTENCES[Phase(self.phase)]) if known else self.phase
