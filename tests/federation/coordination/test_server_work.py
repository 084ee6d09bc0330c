"""What the server does for each of many bakeries mustn't be a look at all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from glean.federation.coordination.client_registry import ClientRegistry
from tests.inprocess_runs import config_of, run

FEW, MANY = 3, 12
"""Of FEW masks are made with all; both train in the same number of exchanges."""


@contextmanager
def counted(name: str) -> Iterator[list[int]]:
    """Count how often a property of the registry is made, which takes a look at all bakeries."""
    calls: list[int] = []
    made: Callable[[ClientRegistry], Any] = getattr(ClientRegistry, name).fget

    def call(registry: ClientRegistry) -> Any:
        calls.append(1)
        return made(registry)

    with mock.patch.object(ClientRegistry, name, property(call)):
        yield calls


def looks(name: str, bakeries: int, out: Path) -> int:
    """How often that is made in a masked run of so many bakeries."""
    nodes = [{"partition-id": k, "num-partitions": bakeries} for k in range(bakeries)]
    config = config_of("", secure_sums=True, leaf_values="refit", proposals_per_round=2)
    with counted(name) as calls:
        run(out, config, nodes=nodes)
    return len(calls)


@pytest.mark.parametrize("name", ["present", "registered", "missing"])
def test_looks_at_all_bakeries_do_not_grow_with_their_number(name: str, tmp_path: Path) -> None:
    few = looks(name, FEW, tmp_path / "few")
    many = looks(name, MANY, tmp_path / "many")
    assert many < few + MANY, (few, many)
