"""A leak that is put into a message on purpose is found."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from glean.client_app import app as glean_app
from glean.errors import GleanError
from glean.federation.wire.messages import (
    ClientInfo,
    EvaluateReply,
    FinalReply,
    TrainReply,
)
from glean.federation.wire.sum_messages import (
    KeyReply,
    SumReply,
    UnmaskResult,
)
from glean.learning.forest import Forest
from glean.settings import ConfigValue
from tests.leaks import Secrets
from tests.privacy.captured_runs import PRODUCTS, captured, leaks, own_tables, sales_of, value_in

pytestmark = pytest.mark.slow


def with_leaf(model: bytes, field: str, leaf: float) -> dict[str, object]:
    """Hide a number in the leaves of the first tree."""
    forest = Forest.from_bytes(model)
    tree = forest.trees[0]
    hidden = replace(tree, value=np.full_like(tree.value, leaf))
    return {field: replace(forest, trees=(hidden, *forest.trees[1:])).to_bytes()}


PLANTS: dict[str, tuple[type, Callable[[Any, pd.DataFrame, Path], dict[str, object]]]] = {
    "a path in a note": (ClientInfo, lambda _v, _rows, path: {"note": f"read {path}"}),
    "a product in a note": (ClientInfo, lambda _v, _rows, _path: {"note": PRODUCTS[1]}),
    "a day in a note": (ClientInfo, lambda _v, _rows, _path: {"note": "since 2023-01-02"}),
    "a sale in a note": (
        ClientInfo,
        lambda _v, rows, _path: {"note": f"sold {rows['units'].iloc[7]} at most"},
    ),
    "a level as the weight": (
        TrainReply,
        lambda _v, rows, _path: {"weight": float(rows["units"].iloc[100:128].mean())},
    ),
    "a sale as a leaf": (
        TrainReply,
        lambda value, rows, _path: with_leaf(value.model, "model", rows["units"].iloc[3]),
    ),
    "a day's takings among the sums": (
        EvaluateReply,
        lambda value, rows, _path: {
            "sums": (*value.sums[:-1], float(rows.groupby("date")["units"].sum().iloc[9]))
        },
    ),
    "a day's takings among the sums of a step": (
        SumReply,
        lambda value, rows, _path: {
            "sums": (*value.sums[:-1], float(rows.groupby("date")["units"].sum().iloc[9]))
        },
    ),
    "a sale in a structure's leaves": (
        SumReply,
        lambda value, rows, _path: (
            with_leaf(value.proposal, "proposal", rows["units"].iloc[3]) if value.proposal else {}
        ),
    ),
    "a path for a device": (SumReply, lambda _v, _rows, path: {"device": str(path)}),
    "a product in a key": (
        KeyReply,
        lambda _v, _rows, _path: {"advertisement": b"GO1" + PRODUCTS[0].encode()},
    ),
    "a day in the opening of a sum": (
        UnmaskResult,
        lambda value, _rows, _path: {"answer": value.answer + b"2023-03-04"},
    ),
    "a product's takings among the scores": (
        FinalReply,
        lambda value, rows, _path: {
            "rows": json.dumps([rows.groupby("product")["units"].sum().iloc[1], value.rows])
        },
    ),
}


MASKED: dict[str, ConfigValue] = {"leaf-values": "refit", "secure-sums": True}


SETTINGS_OF: dict[type, dict[str, ConfigValue]] = {
    SumReply: {"leaf-values": "refit"},
    KeyReply: MASKED,
    UnmaskResult: MASKED,
}
"""Of runs in which there are such messages."""


class LeakingApp(ClientApp):
    """Glean's ClientApp, with something secret put into one kind of its replies."""

    def __init__(self, plant: str, tables: Mapping[str, Path]) -> None:
        super().__init__()
        self._kind, self._change = PLANTS[plant]
        self._tables = tables

    def __call__(self, message: Message, context: Context) -> Message:
        reply = glean_app(message, context)
        value = value_in(reply.content)
        leaks_here = type(value) is self._kind
        if leaks_here:
            bakery = str(context.node_config["bakery"])
            change = self._change(value, sales_of(bakery).rows, self._tables[bakery])
            reply.content = replace(value, **change).to_record()
        return reply


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_leak_is_found(
    tables: Mapping[str, Path], secrets: Secrets, tmp_path: Path, plant: str
) -> None:
    """The search above would see it, wherever in a message something secret is put."""
    messages: list[Message] = []
    with suppress(GleanError):  # the server refuses some of them, once they have been sent
        captured(
            tmp_path,
            own_tables(tables, tmp_path / "home"),
            app=LeakingApp(plant, tables),
            into=messages,
            changes={"baselines": False, **SETTINGS_OF.get(PLANTS[plant][0], {})},
        )
    assert leaks(messages, secrets) != []
