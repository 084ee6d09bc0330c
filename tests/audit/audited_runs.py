"""A simulation on a table small enough that sums tell of single days, and what attacks it gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest

from glean.audit import evidence
from glean.audit.evidence import Evidence, Observed, gathered, whole_run
from glean.client_app import app as glean_app
from glean.settings import ConfigValue, RunSettings
from tests.churn import stop_the_clock
from tests.federations import SMALL
from tests.tables import random_table

BAKERIES = 4

TELLING: dict[str, ConfigValue] = SMALL | {
    "num-server-rounds": 8,
    "max-depth": 6,
    "leaf-values": "refit",
    "secure-sums": True,
    "subsample": 0.7,
    "colsample": 0.7,
    "bins": 64,
    "trees-per-round": 2,
}
"""Many deep trees on few rows, without a floor."""

NOISED: dict[str, ConfigValue] = SMALL | {
    "num-server-rounds": 8,
    "privacy": "noise",
    "secure-sums": True,
}


def small_table(path: Path) -> Path:
    """Write 60 days of four bakeries with two products each."""
    random_table(bakeries=BAKERIES, days=60, closed_weekday=None).rows.to_csv(path, index=False)
    return path


@dataclass(frozen=True)
class Attacked:
    """A run and all that the attacks look at."""

    whole: Observed
    evidence: Evidence


def attacked(sales: Path, config: dict[str, ConfigValue], **changes: ConfigValue) -> Attacked:
    """Make a run, and the ones without each bakery."""
    own = {key.replace("_", "-"): value for key, value in changes.items()}
    settings = RunSettings.from_config(config | {"sales": str(sales)} | own)
    whole = whole_run(settings, BAKERIES, glean_app, newcomers=())
    with mock.patch.object(evidence, "MOST_VICTIMS", 2), pytest.MonkeyPatch.context() as patch:
        stop_the_clock(patch)
        return Attacked(whole, gathered(whole, glean_app, newcomers=(), said=lambda _: None))
