"""Glean's aggregations under the names that the measurements print, as run config."""

from __future__ import annotations

from glean.learning.learning_rates import learning_rate_of
from glean.settings import ConfigValue, RunSettings

Config = dict[str, ConfigValue]

_REFIT: Config = {"aggregation": "bagging", "leaf-values": "refit"}
_HISTOGRAM: Config = {"aggregation": "histogram"}
_OPEN: Config = {"secure-sums": False}
_MASKED: Config = {"secure-sums": True}

SCALED = "bagging, scaled"
REFIT = "bagging, refit"
HISTOGRAM = "histogram"
MASKED = ", masked"

VARIANTS: dict[str, Config] = {
    SCALED: {"aggregation": "bagging", "leaf-values": "scaled", **_OPEN},
    REFIT: _REFIT | _OPEN,
    REFIT + MASKED: _REFIT | _MASKED,
    HISTOGRAM: _HISTOGRAM | _OPEN,
    HISTOGRAM + MASKED: _HISTOGRAM | _MASKED,
}

OTHERS: dict[str, Config] = {
    "cyclic": {"aggregation": "cyclic", **_OPEN},
    "fedavg": {"aggregation": "fedavg", **_OPEN},
}


def shortened(config: Config, *, rounds: int, of: int) -> Config:
    """Cut a run of `of` rounds after `rounds`, at the same learning rate."""
    whole = RunSettings.from_config(config | {"num-server-rounds": of})
    return config | {
        "num-server-rounds": rounds,
        "learning-rate": learning_rate_of(whole.rounds),
    }
