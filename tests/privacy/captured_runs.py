"""Runs whose every message is captured, and a search of messages for secrets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from flwr.app import Message, RecordDict
from flwr.clientapp import ClientApp

from glean import server_app
from glean.client_app import app as glean_app
from glean.demand import conclusion
from glean.errors import ModelError
from glean.federation.grids.inprocess import run_inprocess
from glean.federation.wire.messages import (
    ClientInfo,
    EvaluateReply,
    FinalReply,
    TrainReply,
)
from glean.federation.wire.record_form import Flat, Packed
from glean.federation.wire.sum_messages import (
    KeyReply,
    KeyTask,
    SumReply,
    SumTask,
    UnmaskResult,
    UnmaskTask,
)
from glean.sales.table import SalesTable
from glean.settings import ConfigValue, RunSettings
from tests.federations import SMALL, CapturingGrid, member_nodes
from tests.leaks import Secrets, values_in, values_of

BAKERIES = ("Nordbrot", "Ostbrot", "Westbrot")


PRODUCTS = ("Roggenkruste 750", "Laugenknoten", "Franzbroetchen")


def sales_of(bakery: str) -> SalesTable:
    """Takings with cents, so that no number of them occurs elsewhere by chance."""
    rng = np.random.default_rng(BAKERIES.index(bakery))
    days = pd.date_range("2023-01-02", periods=200, freq="D")
    week = 1 + 0.3 * np.sin(days.day_of_week.to_numpy())
    parts = [
        pd.DataFrame(
            {
                "date": days,
                "bakery": bakery,
                "product": product,
                "units": (2000 * (place + 1) * week * rng.lognormal(0, 0.2, len(days))).round(2),
            }
        )
        for place, product in enumerate(PRODUCTS)
    ]
    return SalesTable(pd.concat(parts, ignore_index=True))


def captured(
    out: Path,
    nodes: list[dict[str, ConfigValue]],
    *,
    app: ClientApp = glean_app,
    into: list[Message] | None = None,
    changes: Mapping[str, ConfigValue] | None = None,
) -> list[Message]:
    """Every message of a run in this process; `into` has them even where the run fails.

    The report is drawn from the run's folder, without any message.
    """
    own: dict[str, ConfigValue] = {"output-dir": str(out), "baselines": True}
    if "sales" in nodes[0]:
        own["min-contributors"] = len(BAKERIES)
    config = RunSettings().to_config() | SMALL | own | dict(changes or {})
    grid = CapturingGrid(app, nodes, config, run_id=1)
    grid.captured = [] if into is None else into
    with mock.patch.object(conclusion, "write_report"):
        run_inprocess(server_app.app, grid, config)
    # Introductions, two rounds of training and scoring, the final test: asked and answered.
    assert len(grid.captured) > 2 * 4 * len(nodes)
    return grid.captured


def own_tables(tables: Mapping[str, Path], home: Path) -> list[dict[str, ConfigValue]]:
    """Node configs of bakeries that read their own tables."""
    return member_nodes(home, {bakery: tables[bakery] for bakery in BAKERIES}, homes=True)


MESSAGES: tuple[type[Flat], ...] = (
    *(ClientInfo, TrainReply, EvaluateReply, FinalReply, SumTask, SumReply),
    *(KeyTask, KeyReply, UnmaskTask, UnmaskResult),
)


def value_in(record: RecordDict) -> Any:
    """Read a record as the value whose fields it has; None where it is a plain request or task."""
    if "message" in record:
        return _packed_value_in(record)
    names = {*record.config_records["fields"], *record.keys()} - {"fields"}
    for kind in MESSAGES:
        if {item.name for item in fields(kind)} == names:
            return kind.from_record(record)
    return None


def _packed_value_in(record: RecordDict) -> Packed:
    for kind in MESSAGES:
        if issubclass(kind, Packed):
            with suppress(ModelError):
                return kind.from_record(record)
    raise AssertionError("a packed message is of one of these kinds")


def fields_in(record: RecordDict) -> list[Any]:
    """All that a record holds, as it is and field by field: bytes may be joined in it."""
    value = value_in(record)
    return values_in(record) + ([] if value is None else [*vars(value).values()])


def leaks(messages: Iterable[Message], secrets: Secrets) -> list[str]:
    """What the messages give away."""
    values: list[Any] = []
    for message in messages:
        values += values_of(message) if message.has_error() else fields_in(message.content)
    return secrets.in_values(values)
