"""Run config, node config and environment become frozen settings, checked once at the door.

A key of Flower's run config is a field below with "-" for "_"; its default here and in
`pyproject.toml` are the same (a test compares them). An unknown key, a wrong type or a value out
of range is refused by name, with the value and what is allowed.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, Self

from glean.errors import SettingsError

ConfigValue = bool | int | float | str

DEVICE_VARIABLE = "GLEAN_DEVICE"
"""Set by a cluster's job with GPUs, for a run whose `device` is "auto"."""

_INF = float("inf")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _number(default: float, low: float, high: float, meaning: str) -> Any:
    return field(default=default, metadata={"range": (low, high), "meaning": meaning})


def _choice(default: str, choices: tuple[str, ...], meaning: str) -> Any:
    return field(default=default, metadata={"choices": choices, "meaning": meaning})


def _plain(default: ConfigValue, meaning: str) -> Any:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class BoostingSettings:
    """How trees are grown; XGBoost's meanings unless said otherwise."""

    trees_per_round: int = _number(1, 1, 100, "new trees a bakery sends in a round")
    max_depth: int = _number(6, 1, 12, "depth of a tree")
    min_child_weight: float = _number(20.0, 0.0, _INF, "least hessian sum in a leaf")
    reg_lambda: float = _number(1.0, 0.0, _INF, "L2 penalty on leaf values")
    reg_alpha: float = _number(0.0, 0.0, _INF, "L1 penalty on leaf values")
    gamma: float = _number(0.0, 0.0, _INF, "least gain of a split")
    subsample: float = _number(0.7, 0.05, 1.0, "share of the rows a tree sees")
    colsample: float = _number(0.5, 0.05, 1.0, "share of the features a tree sees")
    num_parallel_tree: int = _number(1, 1, 100, "trees of one boosting step (a random forest)")
    objective: str = _choice(
        "reg:squarederror",
        (
            "reg:squarederror",
            "reg:absoluteerror",
            "reg:quantileerror",
            "count:poisson",
            "reg:tweedie",
        ),
        "loss that a tree reduces",
    )
    quantile_alpha: float = _number(0.5, 0.01, 0.99, "quantile that reg:quantileerror aims at")
    bins: int = _number(32, 2, 256, "public bins of a feature, at most")


@dataclass(frozen=True)
class WindowSettings:
    """Which days are for training, which for choosing, which for the final test."""

    horizon_days: int = _number(1, 1, 28, "days between the last known sale and the forecast day")
    test_days: int = _number(56, 1, 3650, "length of the test window when test-start is empty")
    test_start: str = _plain("", "first day of the test window, like 2019-07-01")
    validation_days: int = _number(28, 1, 3650, "longest validation window")


@dataclass(frozen=True)
class TableSettings:
    """Which sales table is read, and how."""

    sales: str = _plain("", "absolute path of a sales table; empty: the synthetic bakeries")
    scenario: str = _choice(
        "related", ("related", "unrelated"), "which synthetic bakeries, where sales is empty"
    )
    covariates: str = _plain("", "further numeric columns for the model, separated by commas")
    units_label: str = _plain("units", "what the column units counts, for tables and pictures")
    holiday_region: str = _plain("", "country or region of the public holidays, like DE-SH")
    products: str = _plain("", "absolute path of a product list with prices, costs, weights")
    stock_outs: str = _choice(
        "censored", ("censored", "as-sold"), "what a sold-out day's sales are taken for"
    )


@dataclass(frozen=True)
class RoundSettings:
    """How the rounds of the federation go."""

    aggregation: str = _choice(
        "bagging",
        ("bagging", "cyclic", "fedavg", "histogram"),
        "how updates become the global model",
    )
    leaf_values: str = _choice("refit", ("refit", "scaled"), "leaf values of bagging")
    proposals_per_round: int = _number(10, 1, 1000, "tree structures a round, refitted leaves")
    fedavg_model: str = _choice("neural", ("neural", "poisson"), "what fedavg averages")
    num_server_rounds: int = _number(20, 1, 10_000, "rounds of the federation")
    learning_rate: float = _number(0.0, 0.0, 1.0, "step size; 0: by the rule in the README")
    early_stopping_rounds: int = _number(0, 0, 10_000, "rounds without progress; 0: off")
    fraction_train: float = _number(1.0, 0.001, 1.0, "share of the bakeries that train in a round")
    fraction_evaluate: float = _number(1.0, 0.001, 1.0, "share of the bakeries that score a round")
    min_available_bakeries: int = _number(2, 1, 1_000_000, "bakeries to wait for")
    round_timeout_s: int = _number(600, 1, 86_400, "seconds to wait for replies")
    newcomer_fraction: float = _number(0.0, 0.0, 1.0, "share of bakeries cut to a short history")
    newcomer_days: int = _number(30, 0, 60, "days that such a bakery keeps")

    @property
    def refits(self) -> bool:
        """Whether trees get their leaf values from sums over all bakeries."""
        return self.aggregation == "bagging" and self.leaf_values == "refit"

    @property
    def sums(self) -> bool:
        """Whether the model is made of sums, which the server can be kept from looking into."""
        return self.refits or self.aggregation in ("histogram", "fedavg")


_GROUPS: dict[str, type] = {
    "rounds": RoundSettings,
    "boosting": BoostingSettings,
    "windows": WindowSettings,
    "table": TableSettings,
}


@dataclass(frozen=True)
class RunSettings:
    """Everything a run is told.

    Examples
    --------
    >>> RunSettings.from_config({"num-server-rounds": 3}).rounds.num_server_rounds
    3
    """

    rounds: RoundSettings = RoundSettings()
    boosting: BoostingSettings = BoostingSettings()
    windows: WindowSettings = WindowSettings()
    table: TableSettings = TableSettings()
    seed: int = _number(42, 0, 2**31 - 1, "seed of everything that is drawn")
    baselines: bool = _plain(True, "also score local, pooled and the habits")
    secure_sums: bool = _plain(True, "mask sums; no effect where nothing is masked")
    share_scores: str = _choice("auto", ("auto", "yes", "no"), "who sees a bakery's scores")
    device: str = _choice("auto", ("auto", "cpu", "gpu"), "where trees are grown")
    resume: str = _plain("", "absolute path of the folder of a run to continue")
    start_from: str = _plain("", "absolute path of a model file to go on from")
    output_dir: str = _plain("", "folder for results; empty: results")

    @classmethod
    def from_config(
        cls, config: Mapping[str, ConfigValue], environment: Mapping[str, str] = os.environ
    ) -> Self:
        """Check a run config (kebab-case keys) and freeze it.

        Parameters
        ----------
        config : mapping
            What was given; a key that is missing has its default.
        environment : mapping
            Where `device` is "auto", its variable `GLEAN_DEVICE` may say which.

        Raises
        ------
        SettingsError
            An unknown key, a wrong type, or a value out of range; all of them, a line each.
        """
        known = declared_fields()
        problems = [
            f"unknown key {key!r}; known are {', '.join(known)}"
            for key in config
            if key not in known
        ]
        values: dict[str, ConfigValue] = {}
        for key, value in config.items():
            if key in known:
                try:
                    values[key] = _checked(key, value, known[key])
                except SettingsError as error:
                    problems.append(str(error))
        if values.get("device", "auto") == "auto" and environment.get(DEVICE_VARIABLE):
            values["device"] = _device_of(environment)
        if problems:
            raise SettingsError("\n".join(problems))
        groups = {name: _group(group, values) for name, group in _GROUPS.items()}
        rest = {f.name: values[_key(f)] for f in fields(cls) if _key(f) in values}
        settings = cls(**groups, **rest)  # type: ignore[arg-type]
        settings.check_together()
        return settings

    def check_together(self) -> None:
        """Refuse settings that are fine by themselves and don't go together.

        Raises
        ------
        SettingsError
            Says which.
        """
        kind = self.rounds.aggregation
        if self.device == "gpu" and kind in ("fedavg", "histogram"):
            raise SettingsError(
                f"device: found 'gpu'; {kind} learns on the CPU: wanted 'cpu' or 'auto'"
            )
        sums_trees = self.rounds.refits or kind == "histogram"
        if self.boosting.objective == "reg:absoluteerror" and sums_trees:
            raise SettingsError(
                "objective: found 'reg:absoluteerror', whose leaves are medians and no sums; "
                "wanted another one, or aggregation=bagging with leaf-values=scaled"
            )

    def shows_scores(self, *, deployed: bool) -> bool:
        """Whether each bakery's scores may be seen; "auto": everywhere but in a deployment.

        In a simulation all tables are the operator's own.
        """
        if not self.secure_sums:
            return True
        return self.share_scores == "yes" or (self.share_scores == "auto" and not deployed)

    @property
    def tree_device(self) -> str:
        """Either "cpu" or "gpu"; a bakery's table is too small for a GPU to win by itself."""
        return "gpu" if self.device == "gpu" else "cpu"

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of the further covariates."""
        return tuple(name.strip() for name in self.table.covariates.split(",") if name.strip())

    def to_config(self) -> dict[str, ConfigValue]:
        """Every key with its value, in the order of `declared_fields`."""
        flat: dict[str, ConfigValue] = {}
        for name in _GROUPS:
            group = getattr(self, name)
            flat |= {_key(f): getattr(group, f.name) for f in fields(group)}
        return flat | {
            _key(f): getattr(self, f.name) for f in fields(self) if f.name not in _GROUPS
        }


def declared_fields() -> dict[str, Field[Any]]:
    """Key of the run config -> its field, in the order in which they are documented."""
    found: dict[str, Field[Any]] = {}
    for group in _GROUPS.values():
        found |= {_key(f): f for f in fields(group)}
    return found | {_key(f): f for f in fields(RunSettings) if f.name not in _GROUPS}


def parse_text(key: str, text: str) -> ConfigValue:
    """Turn the text of `--set KEY=TEXT` into the type that the key is declared with.

    Raises
    ------
    SettingsError
        The key is unknown or the text isn't of its type.
    """
    known = declared_fields()
    if key not in known:
        raise SettingsError(f"unknown key {key!r}; known are {', '.join(known)}")
    kind: type = type(known[key].default)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise SettingsError(f"{key}: found {text!r}; wanted true or false")
        return text.lower() == "true"
    value: ConfigValue
    try:
        value = kind(text)
    except ValueError:
        raise SettingsError(f"{key}: found {text!r}; wanted {_KINDS[kind]}") from None
    return _checked(key, value, known[key])


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def _key(item: Field[Any]) -> str:
    return item.name.replace("_", "-")


def _group(group: type, values: Mapping[str, ConfigValue]) -> Any:
    return group(**{f.name: values[_key(f)] for f in fields(group) if _key(f) in values})


def _checked(key: str, value: ConfigValue, item: Field[Any]) -> ConfigValue:
    kind: type = type(item.default)
    if kind is float and type(value) is int:
        value = _widened(key, value)
    if type(value) is not kind:
        raise SettingsError(f"{key}: found {value!r}; wanted {_KINDS[kind]}")
    if "range" in item.metadata:
        low, high = item.metadata["range"]
        if not low <= value <= high or value == _INF:
            limit = "up" if high == _INF else f"to {high}"
            raise SettingsError(f"{key}: found {value!r}; wanted {_KINDS[kind]} from {low} {limit}")
    if "choices" in item.metadata and value not in item.metadata["choices"]:
        wanted = ", ".join(repr(choice) for choice in item.metadata["choices"])
        raise SettingsError(f"{key}: found {value!r}; wanted one of {wanted}")
    if key == "test-start" and value:
        _check_date(key, str(value))
    return value


def _widened(key: str, value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        raise SettingsError(f"{key}: found a number beyond 1e308; wanted one below") from None


def _check_date(key: str, text: str) -> None:
    # Python also reads 20190701 and 2019-W27-1, which pandas reads otherwise or not at all.
    if not _DATE.fullmatch(text):
        raise SettingsError(f"{key}: found {text!r}; wanted a date like 2019-07-01")
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        raise SettingsError(f"{key}: found {text!r}; wanted a date like 2019-07-01") from None


def _device_of(environment: Mapping[str, str]) -> ConfigValue:
    try:
        return _checked("device", environment[DEVICE_VARIABLE], declared_fields()["device"])
    except SettingsError as error:
        raise SettingsError(f"the environment variable {DEVICE_VARIABLE}: {error}") from None


NODE_KEYS = (
    "sales", "bakery", "home", "signing-key", "members", "partition-id", "num-partitions",
)  # fmt: skip
"""Keys of a node config; the last two are those that Flower gives the nodes of a simulation."""


def is_deployed(node_config: Mapping[str, ConfigValue]) -> bool:
    """Whether a node is a bakery's own, and not one of a simulation; for any node config."""
    return bool(node_config.get("sales")) or "partition-id" not in node_config


@dataclass(frozen=True)
class NodeSettings:
    """What one bakery's node is told; where set, it beats the run config.

    Parameters
    ----------
    partition : int
        Which bakery of a simulation this node plays, counted from 0.
    sales : str
        Path of the bakery's own table; "" in a simulation.
    bakery : str
        Its name in the federation; "" takes the table's.
    home : str
        Folder in which the bakery keeps the model; "" for none.
    signing_key, members : str
        Paths of its private signing key and of the list of members, for secure sums.
    """

    partition: int = 0
    sales: str = ""
    bakery: str = ""
    home: str = ""
    signing_key: str = ""
    members: str = ""

    @classmethod
    def from_config(cls, config: Mapping[str, ConfigValue]) -> Self:
        """Read a node config.

        Raises
        ------
        SettingsError
            A value of the wrong type, a partition below 0, or a key that there isn't; or it
            names neither a table nor the bakery of a simulation.
        """
        unknown = sorted(config.keys() - NODE_KEYS)
        if unknown:
            raise SettingsError(
                f"node config: found {', '.join(unknown)}; known are {', '.join(NODE_KEYS)}"
            )
        found: dict[str, Any] = {}
        for item in fields(cls):
            key = "partition-id" if item.name == "partition" else _key(item)
            value = config.get(key, item.default)
            kind: type = type(item.default)
            if type(value) is not kind:
                raise SettingsError(f"node config {key}: found {value!r}; wanted {_KINDS[kind]}")
            found[item.name] = value
        if not config.get("sales") and "partition-id" not in config:
            raise SettingsError(
                "node config: found no table; wanted sales='/path/of/the/bakery/sales.csv'"
            )
        if found["partition"] < 0:
            raise SettingsError(
                f"node config partition-id: found {found['partition']}; wanted one from 0 up"
            )
        return cls(**found)
