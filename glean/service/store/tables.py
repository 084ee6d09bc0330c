"""The tables of the service's database, as SQLAlchemy maps them.

Nothing here is special to SQLite. Times are UTC, as text like "2026-05-01T12:00:00+00:00", which
sorts as the times do.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from glean.service.store.table_base import Table as Table
from glean.service.store.worker_tables import FactRow as FactRow
from glean.service.store.worker_tables import RunEventRow as RunEventRow
from glean.service.store.worker_tables import WorkerRow as WorkerRow


class RunRow(Table):
    """A run: asked for here, or found in the results.

    Parameters
    ----------
    id : str
        Of a run that was asked for here that of its request, else Flower's.
    flower_id : str
        Flower's id of the run; "" while it has none.
    folder : str
        Name of its folder in the results; "" while it has none.
    status : str
        One of `glean.service.runs.status.RunStatus`.
    asked_by, asked_at : str
        Who asked for it, "" for the command line; when it was asked for or, of a run that was
        found, began.
    job : dict
        Of a run on SLURM: `number`, `state` and `reason` of its job; empty where there is none.
    seen : str
        What its files looked like when they were read last; "" has them read again.
    request : dict
        What was asked for, as `glean.operations.running.run_request.RunRequest` has it: a worker
        needs no more of it; empty of a run that was found.
    priority : int
        Of those that wait the highest begins first.
    worker : str
        Name of the worker that runs it or ran it last; "" while it waits, and of what the service
        runs itself.
    lease_until : str
        Until when it is that worker's; "" where it is nobody's.
    attempt : int
        How often it was taken; whoever works on it writes only as long as that stays.
    handed_back : int
        How often of these it was handed back in an orderly way, which doesn't count against it.
    cancel_wanted : bool
        Whether its worker shall stop it.
    given_up : bool
        Whether it failed since it was cut off too often.
    sent_at : str
        When its message was confirmed by a broker; "" has it sent (again).
    earlier : list of str
        Flower's id of the run of each attempt that was cut off, in order; "" where it had none yet.
    """

    __tablename__ = "runs"
    __table_args__ = (Index("ix_runs_asked_at_id", "asked_at", "id"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    flower_id: Mapped[str] = mapped_column(default="", index=True)
    folder: Mapped[str] = mapped_column(default="")
    status: Mapped[str] = mapped_column(index=True)
    reason: Mapped[str] = mapped_column(default="")
    engine: Mapped[str] = mapped_column(default="")
    workload: Mapped[str] = mapped_column(default="")
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    asked_by: Mapped[str] = mapped_column(default="")
    asked_at: Mapped[str]
    started_at: Mapped[str] = mapped_column(default="")
    ended_at: Mapped[str] = mapped_column(default="")
    bakeries: Mapped[int] = mapped_column(default=0)
    rounds: Mapped[int] = mapped_column(default=0)
    rounds_done: Mapped[int] = mapped_column(default=0)
    score: Mapped[float | None] = mapped_column(default=None)
    score_noise: Mapped[float | None] = mapped_column(default=None)
    job: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sa.text("'{}'"))
    seen: Mapped[str] = mapped_column(default="")
    request: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sa.text("'{}'"))
    priority: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    worker: Mapped[str] = mapped_column(default="", server_default="")
    lease_until: Mapped[str] = mapped_column(default="", server_default="")
    attempt: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    handed_back: Mapped[int] = mapped_column(default=0, server_default=sa.text("0"))
    cancel_wanted: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    given_up: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    sent_at: Mapped[str] = mapped_column(default="", server_default="")
    earlier: Mapped[list[Any]] = mapped_column(default=list, server_default=sa.text("'[]'"))


class TokenRow(Table):
    """A token that opens the service.

    Parameters
    ----------
    prefix : str
        Its first characters, by which people tell it and the service finds it.
    secret_hash : str
        Argon2id hash of the rest.
    scope : str
        One of `glean.service.accounts.scopes.Scope`.
    expires_at, revoked_at : str
        "" where it never expires, or wasn't revoked.
    """

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    prefix: Mapped[str] = mapped_column(unique=True)
    secret_hash: Mapped[str]
    scope: Mapped[str]
    created_at: Mapped[str]
    expires_at: Mapped[str] = mapped_column(default="")
    revoked_at: Mapped[str] = mapped_column(default="")
    used_at: Mapped[str] = mapped_column(default="")


class SessionRow(Table):
    """A browser that signed in with a token.

    Parameters
    ----------
    id : str
        SHA-256 of what the browser's cookie holds.
    csrf : str
        What each form of the session repeats.
    """

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    token_id: Mapped[str] = mapped_column(index=True)
    csrf: Mapped[str]
    created_at: Mapped[str]
    expires_at: Mapped[str]


class AuditRow(Table):
    """Who did what, and when."""

    __tablename__ = "audit_log"

    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[str]
    actor: Mapped[str]
    action: Mapped[str] = mapped_column(index=True)
    subject: Mapped[str] = mapped_column(default="")
    detail: Mapped[str] = mapped_column(default="")
    address: Mapped[str] = mapped_column(default="")


class IdempotencyRow(Table):
    """What was made under an idempotency key, so that the same request makes nothing twice.

    Parameters
    ----------
    request_hash : str
        SHA-256 of the request: another one under the same key is refused.
    made : str
        Id of what was made.
    """

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(primary_key=True)
    actor: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    made: Mapped[str]
    created_at: Mapped[str]


class AlertRow(Table):
    """An alert on its way to an address, or delivered there.

    Parameters
    ----------
    key : str
        What happened to what: the same is told once.
    tries : int
        How often it was sent.
    delivered_at : str
        "" while it wasn't taken.
    """

    __tablename__ = "alerts"

    key: Mapped[str] = mapped_column(primary_key=True)
    url: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str]
    at: Mapped[str]
    next_try_at: Mapped[str]
    delivered_at: Mapped[str] = mapped_column(default="")
    tries: Mapped[int] = mapped_column(default=0)


class DefaultRow(Table):
    """A setting that new runs have unless they are told otherwise."""

    __tablename__ = "run_defaults"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]
    """`{"value": ...}`, since JSON's own types tell 1 from true."""


class InvitationRow(Table):
    """A bakery that was invited; of its secret only a hash is kept.

    Parameters
    ----------
    secret_hash : str
        As `glean.privacy.invitation.secret_hash` makes it.
    replaces_key : bool
        Whether it gives a member that lost its key a new one.
    created_by : str
        Name of the token; "" for the command line.
    used_at, withdrawn_at : str
        "" where it wasn't.
    """

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(primary_key=True)
    bakery: Mapped[str] = mapped_column(index=True)
    secret_hash: Mapped[str] = mapped_column(unique=True)
    replaces_key: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[str]
    created_by: Mapped[str] = mapped_column(default="")
    expires_at: Mapped[str]
    used_at: Mapped[str] = mapped_column(default="")
    withdrawn_at: Mapped[str] = mapped_column(default="")
