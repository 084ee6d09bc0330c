"""The tables that the service and its workers share, beside that of the runs."""

from __future__ import annotations

from sqlalchemy.orm import Mapped, mapped_column

from glean.service.store.table_base import Table


class WorkerRow(Table):
    """A `glean worker` that said that it is there.

    Parameters
    ----------
    seen_at : str
        When it said so last.
    run_id : str
        What it works on; "" while it waits.
    """

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    started_at: Mapped[str]
    seen_at: Mapped[str]
    run_id: Mapped[str] = mapped_column(default="")


class RunEventRow(Table):
    """An event of a run, kept until a broker has confirmed it and some days longer.

    Parameters
    ----------
    number : int
        Line n of attempt k is number (k - 1) * 1,000,000 + n.
    content : str
        The event as JSON.
    published_at : str
        When a broker confirmed it; "" before.
    """

    __tablename__ = "run_events"

    run_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    at: Mapped[str]
    content: Mapped[str]
    published_at: Mapped[str] = mapped_column(default="", index=True)


class FactRow(Table):
    """What holds for the service and all its workers, by name."""

    __tablename__ = "service_facts"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
