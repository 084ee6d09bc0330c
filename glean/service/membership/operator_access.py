"""What an operator does on the service's own machine, beside the service or without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from glean.federation_folder import federation_folder
from glean.service.accounts.audit_log import AuditLog
from glean.service.membership.facts import FederationFacts, read_facts
from glean.service.membership.invitations import Invitations
from glean.service.membership.members import Members
from glean.service.settings import ServiceSettings
from glean.service.store.database import Database


@dataclass(frozen=True)
class OperatorAccess:
    """A federation's members and invitations, as the service has them.

    Parameters
    ----------
    facts : FederationFacts
        Of the federation.
    members, invitations, audit_log
        Its own.
    """

    facts: FederationFacts
    members: Members
    invitations: Invitations
    audit_log: AuditLog


@contextmanager
def operator_access(settings: ServiceSettings) -> Iterator[OperatorAccess]:
    """Open a federation that a service serves, or served; whether it runs doesn't matter.

    Parameters
    ----------
    settings : ServiceSettings
        Where its results and its database are.

    Raises
    ------
    GleanError
        There is no federation, or its files or its database can't be used.
    """
    folder = federation_folder(settings.results)
    facts = read_facts(folder)
    database = Database(settings.database_url)
    try:
        database.upgrade()
        yield OperatorAccess(facts, Members(folder), Invitations(database), AuditLog(database))
    finally:
        database.close()
