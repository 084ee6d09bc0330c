"""Rounds under a limit that is far too small: the same bytes, and memory that doesn't grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean import memory_limit
from glean.evaluation.tables.client_tables import TABLES
from glean.features.bakery_rows import bakery_rows_of
from glean.federation.client.client import client_of
from glean.memory_limit import MemoryLimit
from glean.settings import ConfigValue
from tests.federations import federation_of, small_settings
from tests.inprocess_runs import config_of, run

MIB = 2**20

KINDS: dict[str, dict[str, ConfigValue]] = {
    "refit, masked": {"leaf-values": "refit", "secure-sums": True},
    "histogram": {"aggregation": "histogram", "subsample": 0.5},
    "scaled": {},
    "fedavg": {"aggregation": "fedavg"},
}


def forget_and_limit(limit: MemoryLimit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have bakeries opened anew, under another limit."""
    monkeypatch.setattr(memory_limit, "memory_limit", lambda: limit)
    client_of.cache_clear()
    bakery_rows_of.cache_clear()


def model_of(
    kind: str, limit: MemoryLimit, scratch: Path, monkeypatch: pytest.MonkeyPatch, *, bakeries: int
) -> bytes:
    """The last model of two rounds, whose bakeries have at most as much as a limit says."""
    forget_and_limit(limit, monkeypatch)
    settings = small_settings("", **KINDS[kind])
    federation = federation_of(scratch, settings, partitions=range(bakeries))
    return federation.run().model.to_bytes()


@pytest.mark.parametrize("kind", KINDS)
def test_models_are_the_same_at_any_limit(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = MemoryLimit(10**12), MemoryLimit(1)
    models = [
        model_of(kind, limit, tmp_path / str(limit.most_bytes), monkeypatch, bakeries=4)
        for limit in limits
    ]
    assert models[0] == models[1]
    assert limits[1].peak_bytes < limits[0].peak_bytes / 2


def test_whole_runs_leave_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Final test, own models and tables of all bakeries, for which rows are made again."""
    files = []
    for limit in (MemoryLimit(10**12), MemoryLimit(1)):
        forget_and_limit(limit, monkeypatch)
        config = config_of("", baselines=True, leaf_values="refit", secure_sums=True)
        folder = run(tmp_path / str(limit.most_bytes), config)
        names = ("bakeries.csv", "truth.csv", "forecasts.csv", *TABLES)
        files.append({name: (folder / name).read_bytes() for name in names})
    assert files[0] == files[1]


def test_memory_doesnt_grow_with_the_bakeries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of a bakery are about 3 MiB, of which 0.3 are left while it trains.

    One that grows trees takes 4 MiB, which are in use.
    """
    peaks = []
    for bakeries in (6, 24):
        limit = MemoryLimit(8 * MIB)
        out = tmp_path / str(bakeries)
        model_of("refit, masked", limit, out, monkeypatch, bakeries=bakeries)
        peaks.append(limit.peak_bytes)
    assert max(peaks) < 8 * MIB + MIB
    assert peaks[1] < 1.1 * peaks[0]
