"""How a service, its federation and its runs stand, read on its own machine."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from glean.errors import GleanError
from glean.federation_folder import federation_folder
from glean.runs.index import StoredRun, list_runs
from glean.service.membership.facts import FederationFacts
from glean.service.membership.member_states import MemberStanding, standings
from glean.service.membership.operator_access import operator_access
from glean.service.serving_file import ServingState, read_serving_state
from glean.service.settings import ServiceSettings
from glean.service.superlink.state_file import read_superlink_state

RUNS_SHOWN = 5


@dataclass(frozen=True)
class ServiceStatus:
    """How all of it stands.

    Parameters
    ----------
    serving : ServingState
        Whether the service runs.
    federation : FederationFacts or None
        The federation that it serves; None where it serves none.
    superlink : dict
        How its SuperLink stands, as the service last wrote it down; empty where that isn't known,
        or the service doesn't run.
    members : tuple of MemberStanding
        Bakeries that joined, wait, are missing or are shut out.
    runs : tuple of StoredRun
        The last ones, the newest first.
    """

    serving: ServingState
    federation: FederationFacts | None
    superlink: dict[str, Any]
    members: tuple[MemberStanding, ...]
    runs: tuple[StoredRun, ...]

    def content(self) -> dict[str, Any]:
        """Give all of it, for JSON."""
        facts = self.federation
        return {
            "service": asdict(self.serving),
            "federation": facts and {"name": facts.name, "address": facts.address},
            "superlink": self.superlink or None,
            "members": [_member(one) for one in self.members],
            "runs": [_run(run) for run in self.runs],
        }


def service_status(settings: ServiceSettings) -> ServiceStatus:
    """Read how a service stands, whether it runs or not.

    Raises
    ------
    GleanError
        No service has run there, or its files can't be read.
    """
    if not settings.home.is_dir():
        raise GleanError(
            f"found no service in {settings.results}; wanted the --results of `glean serve`"
        )
    runs = tuple(list_runs(settings.results)[:RUNS_SHOWN])
    there = read_serving_state(settings.home)
    folder = federation_folder(settings.results)
    if not folder.facts.exists():
        return ServiceStatus(there, None, {}, (), runs)
    superlink = read_superlink_state(folder) if there.running else {}
    with operator_access(settings) as access:
        members = tuple(standings(access.members, access.invitations))
        return ServiceStatus(there, access.facts, superlink, members, runs)


def _member(one: MemberStanding) -> dict[str, Any]:
    return {
        "name": one.name,
        "state": one.state,
        "fingerprint": one.fingerprint,
        "since": one.since,
        "last_heard": one.last_heard.isoformat(timespec="seconds") if one.last_heard else None,
        "invited_until": one.invitation.expires_at if one.invitation else None,
    }


def _run(run: StoredRun) -> dict[str, Any]:
    return {
        "folder": run.folder.name,
        "status": run.status,
        "reason": run.reason,
        "engine": run.engine,
        "started_at": run.facts.get("start"),
        "ended_at": run.facts.get("end"),
    }
