"""Labels that several pages say of runs and bakeries, in the language of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from glean.languages.language import NOTHING, Language
from glean.mesh.topology import PeerState
from glean.runs.events import RoundFinished, RunFinished, event_of
from glean.runs.phase_events import PhaseStarted
from glean.service.accounts.scopes import Scope
from glean.service.membership.member_states import MemberState
from glean.service.runs.client_states import ClientState
from glean.service.runs.listing import RunOrder
from glean.service.runs.status import RunStatus
from glean.service.store.tables import RunRow
from glean.workloads import DEFAULT_WORKLOAD


def state_words(language: Language) -> dict[ClientState, str]:
    """Say how bakeries stand."""
    _ = language.gettext
    return {
        ClientState.TRAINING: _("training"),
        ClientState.WAITING: _("waiting for others"),
        ClientState.WATCHING: _("not learned from"),
        ClientState.MISSING: _("missing"),
        ClientState.FAILED: _("failed"),
        ClientState.REFUSED: _("left out"),
        ClientState.DONE: _("done"),
    }


def peer_words(language: Language) -> dict[PeerState, str]:
    """Say how peers of a mesh stand."""
    _ = language.gettext
    return {
        "own": _("this peer"),
        "neighbour": _("connected"),
        "relayed": _("through a relay"),
        "away": _("away"),
    }


def member_words(language: Language) -> dict[MemberState, str]:
    """Say how members of the federation stand."""
    _ = language.gettext
    return {
        MemberState.JOINED: _("joined"),
        MemberState.WAITING: _("invited"),
        MemberState.MISSING: _("missing"),
        MemberState.LEFT: _("has left"),
        MemberState.SHUT_OUT: _("shut out"),
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
        case RunStatus.QUEUED if row.attempt:
            return _("Its worker had to stop; it waits for another one, which goes on with it.")
        case RunStatus.QUEUED:
            return _("It waits until fewer runs go on, or a worker is free.")
        case RunStatus.STARTING if row.job.get("state") == "PENDING":
            return _("Its job waits its turn at SLURM.")
        case RunStatus.STARTING:
            return _("Its process starts; with Ray that takes half a minute.")
    return ""


def score_text(row: RunRow, language: Language) -> str:
    """Write a run's score: of the demand a share of what was sold, of other workloads a number.

    Behind ± stands the standard deviation of its noise, if it has any.
    """
    share = row.workload == DEFAULT_WORKLOAD
    written = [
        language.percent(value) if share else language.number(value, 3)
        for value in (row.score, row.score_noise or None)
        if value is not None
    ]
    return " ± ".join(written) or NOTHING


def phase_of(events: Sequence[Mapping[str, Any]], language: Language) -> str:
    """Say what a run is doing since its last round, by its events; "" while rounds tell."""
    for row in reversed(events):
        match event_of(row):
            case PhaseStarted() as event:
                began = language.time_of_day(str(row.get("time")))
                return language.translate(
                    "{doing} Since {time}.", doing=event.sentence_in(language), time=began
                )
            case RoundFinished() | RunFinished():
                return ""
    return ""
