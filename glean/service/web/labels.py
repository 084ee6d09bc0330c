"""Labels that several pages say of runs and bakeries, in the language of the page."""

from __future__ import annotations

from glean.languages.language import Language
from glean.service.accounts.scopes import Scope
from glean.service.runs.client_states import ClientState
from glean.service.runs.listing import RunOrder
from glean.service.runs.status import RunStatus
from glean.service.store.tables import RunRow


def state_words(language: Language) -> dict[ClientState, str]:
    """Say how bakeries stand."""
    _ = language.gettext
    return {
        ClientState.TRAINING: _("training"),
        ClientState.WATCHING: _("not learned from"),
        ClientState.MISSING: _("missing"),
        ClientState.FAILED: _("failed"),
        ClientState.REFUSED: _("left out"),
        ClientState.DONE: _("done"),
    }


def scope_words(language: Language) -> dict[str, str]:
    """Say what a token may do."""
    _ = language.gettext
    return {
        Scope.READ: _("look at everything, change nothing"),
        Scope.RUN: _("also start and stop runs, upload tables, choose models"),
        Scope.ADMIN: _("also delete, and say who may do what"),
    }


def order_words(language: Language) -> list[tuple[str, str]]:
    """Say by what runs are sorted."""
    _ = language.gettext
    return [
        (RunOrder.NEWEST, _("the newest first")),
        (RunOrder.OLDEST, _("the oldest first")),
        (RunOrder.LAST_ENDED, _("the last that ended first")),
        (RunOrder.STATUS, _("by how they stand")),
        (RunOrder.ENGINE, _("by engine")),
    ]


def doing_of(row: RunRow, language: Language) -> str:
    """Say what a run is doing where its numbers don't; "" where they do."""
    _ = language.gettext
    match RunStatus(row.status):
        case RunStatus.QUEUED:
            return _("It waits until fewer runs go on.")
        case RunStatus.STARTING if row.job.get("state") == "PENDING":
            return _("Its job waits its turn at SLURM.")
        case RunStatus.STARTING:
            return _("Its process starts; with Ray that takes half a minute.")
        case RunStatus.RUNNING if not row.rounds:
            return _("Bakeries report, agree on features and prepare their tables.")
        case RunStatus.RUNNING if row.rounds_done >= row.rounds:
            return _("The rounds are done: the final test, own models and bake plans are made.")
    return ""
