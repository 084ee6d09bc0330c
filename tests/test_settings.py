"""Run config and node config: whatever is unknown, mistyped or out of range is refused by name."""

from __future__ import annotations

import copy
import math
import re
import tomllib
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glean.errors import SettingsError
from glean.node_settings import NodeSettings
from glean.settings import ConfigValue, RunSettings, declared_fields, parse_text

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"


def message_of(config: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        RunSettings.from_config(config)
    return str(caught.value)


def configs() -> st.SearchStrategy[dict[str, ConfigValue]]:
    return st.fixed_dictionaries(
        {},
        optional={
            "num-server-rounds": st.integers(1, 10_000),
            "learning-rate": st.floats(0.0, 1.0),
            "reg-lambda": st.floats(0.0, 1e9),
            "aggregation": st.sampled_from(["bagging", "cyclic", "fedavg", "histogram"]),
            "test-start": st.sampled_from(["", "2019-07-01"]),
            "baselines": st.booleans(),
            "units-label": st.text(),
            "seed": st.integers(0, 2**31 - 1),
        },
    )


@given(configs())
def test_what_is_read_is_written_again(config: dict[str, ConfigValue]) -> None:
    """Settings written as a run config and read again are the same settings."""
    settings = RunSettings.from_config(config)
    written = settings.to_config()
    assert RunSettings.from_config(written) == settings
    assert {key: written[key] for key in config} == config
    assert list(written) == list(declared_fields())


def test_the_app_declares_the_same_defaults_in_the_same_order() -> None:
    """`[tool.flwr.app.config]` has every key, its default, its type, in the documented order."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    declared = project["tool"]["flwr"]["app"]["config"]
    defaults = RunSettings().to_config()
    assert list(declared.items()) == list(defaults.items())
    assert [type(value) for value in declared.values()] == [type(v) for v in defaults.values()]


def test_an_unknown_key_is_named_with_those_that_are_known() -> None:
    """A slip of the pen in a key is refused, and the right key stands in the message."""
    message = message_of({"num-rounds": 3})
    perhaps = "unknown key 'num-rounds'; perhaps num-server-rounds; known are aggregation, "
    assert message.startswith(perhaps)
    assert message_of({"xyzzy": 3}).startswith("unknown key 'xyzzy'; known are aggregation, ")
    assert "num-server-rounds" in message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("num-server-rounds", "3", "num-server-rounds: found '3'; wanted a whole number"),
        ("num-server-rounds", 3.0, "num-server-rounds: found 3.0; wanted a whole number"),
        ("num-server-rounds", True, "num-server-rounds: found True; wanted a whole number"),
        (
            "num-server-rounds",
            0,
            "num-server-rounds: found 0; wanted a whole number from 1 to 10000",
        ),
        ("learning-rate", "x", "learning-rate: found 'x'; wanted a number"),
        ("learning-rate", 1.5, "learning-rate: found 1.5; wanted a number from 0.0 to 1.0"),
        ("reg-lambda", -1, "reg-lambda: found -1.0; wanted a number from 0.0 up"),
        ("reg-lambda", math.inf, "reg-lambda: found inf; wanted a number from 0.0 up"),
        ("reg-lambda", 10**400, "reg-lambda: found a number beyond 1e308; wanted one below"),
        ("learning-rate", math.nan, "learning-rate: found nan; wanted a number from 0.0 to 1.0"),
        ("baselines", 1, "baselines: found 1; wanted true or false"),
        ("sales", 5, "sales: found 5; wanted text"),
        (
            "aggregation",
            "boosting",
            "aggregation: found 'boosting'; wanted one of 'auto', 'bagging', "
            "'cyclic', 'fedavg', 'fedprox', "
            "'fedadam', 'fedyogi', 'fedavgm', 'oblivious', 'histogram'",
        ),
        ("device", "cuda", "device: found 'cuda'; wanted one of 'auto', 'cpu', 'gpu'"),
        ("test-start", "1.7.2019", "test-start: found '1.7.2019'; wanted a date like 2019-07-01"),
        (
            "test-start",
            "2019-W27-1",
            "test-start: found '2019-W27-1'; wanted a date like 2019-07-01",
        ),
        ("test-start", "20190701", "test-start: found '20190701'; wanted a date like 2019-07-01"),
    ],
)
def test_a_wrong_value_is_refused_in_so_many_words(key: str, value: Any, message: str) -> None:
    """Key, value found and what is wanted stand in the message, word for word."""
    assert message_of({key: value}) == message


def test_every_problem_is_told_in_one_go() -> None:
    """Three wrong entries make three lines."""
    lines = message_of({"nonsense": 1, "seed": -1, "device": 0}).splitlines()
    assert len(lines) == 3
    assert [line.split(":")[0] for line in lines[1:]] == ["seed", "device"]


def test_a_whole_number_serves_where_a_number_is_wanted() -> None:
    """`reg-lambda = 2` in TOML is a float setting all the same."""
    found = RunSettings.from_config({"reg-lambda": 2}).boosting.reg_lambda
    assert (found, type(found)) == (2.0, float)


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("test-start", "2019-07-01", "2019-07-01"),
        ("num-server-rounds", "7", 7),
        ("learning-rate", "0.5", 0.5),
        ("baselines", "False", False),
        ("bakery", "", None),
        ("num-server-rounds", "7.0", None),
        ("num-server-rounds", "0", None),
        ("learning-rate", "nan", None),
        ("baselines", "1", None),
        ("aggregation", "sum", None),
    ],
)
def test_typed_text_becomes_the_declared_type(
    key: str, text: str, value: ConfigValue | None
) -> None:
    """`--set KEY=TEXT` gives the key's type, or names the key in its refusal."""
    if value is None:
        with pytest.raises(SettingsError, match=key):
            parse_text(key, text)
    else:
        assert (parse_text(key, text), type(parse_text(key, text))) == (value, type(value))


def test_covariates_are_split_at_commas() -> None:
    """Blanks around names and empty names don't count."""
    settings = RunSettings.from_config({"covariates": " wind, sun ,,"})
    assert settings.covariates == ("wind", "sun")
    assert RunSettings().covariates == ()


@pytest.mark.parametrize(("device", "used"), [("auto", "cpu"), ("cpu", "cpu"), ("gpu", "gpu")])
def test_a_gpu_is_only_used_when_asked_for(device: str, used: str) -> None:
    """ "auto" means the processor: a bakery's table is too small for a GPU to win."""
    assert RunSettings.from_config({"device": device}).tree_device == used


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"aggregation": "histogram"}, "aggregation: found 'histogram' {}: it opens each bin"),
        ({"fraction-train": 0.5}, "fraction-train: found 0.5 {}: each round would be of another"),
        ({"aggregation": "fedavg", "fraction-train": 0.5}, "fraction-train: found 0.5 {}"),
    ],
)
def test_what_opens_sums_of_few_is_refused_under_a_floor(
    changes: dict[str, ConfigValue], message: str
) -> None:
    """In a simulation where one is set; in a deployment, with masks, of its own accord."""
    with pytest.raises(SettingsError, match=re.escape(message.format("with min-contributors=4"))):
        RunSettings.from_config({**changes, "min-contributors": 4})
    free = RunSettings.from_config(changes)
    assert not [*free.floor_problems(deployed=False)]
    (problem,) = free.floor_problems(deployed=True)
    assert problem.startswith(message.format("in a deployment with masks"))
    open_run = RunSettings.from_config({**changes, "secure-sums": False})
    assert not [*open_run.floor_problems(deployed=True)]
    trees: dict[str, ConfigValue] = {"aggregation": "cyclic", "fraction-train": 0.5}
    assert not [*RunSettings.from_config(trees).floor_problems(deployed=True)]


def test_whom_histogram_is_refused_is_told_what_serves_instead() -> None:
    """Under a floor that was set, in mode "sums", and under that of a deployment."""
    instead = (
        "wanted 'bagging', whose thin leaves are merged, or privacy=noise with 'oblivious', which "
        "opens no sum as it is"
    )
    cells: dict[str, ConfigValue] = {"aggregation": "histogram", "privacy": "sums"}
    with pytest.raises(SettingsError, match=re.escape(instead)):
        RunSettings.from_config({**cells, "min-contributors": 3})
    (problem,) = RunSettings.from_config(cells).floor_problems(deployed=True)
    assert problem.endswith(instead)
    RunSettings.from_config({"aggregation": "bagging", "min-contributors": 3})
    noised: dict[str, ConfigValue] = {"aggregation": "oblivious", "privacy": "noise"}
    RunSettings.from_config({**noised, "min-contributors": 3})


def test_a_node_config_is_read() -> None:
    """Which bakery it plays, and of how many."""
    config: dict[str, ConfigValue] = {"partition-id": 3, "num-partitions": 5, "bakery": "North"}
    assert NodeSettings.from_config(config) == NodeSettings(
        partition=3, partitions=5, bakery="North"
    )
    assert NodeSettings.from_config({"sales": "/s.csv"}) == NodeSettings(sales="/s.csv")


@pytest.mark.parametrize("config", [{}, {"bakery": "North", "home": "/srv"}, {"sales": ""}])
def test_a_bakery_without_a_table_is_refused(config: dict[str, ConfigValue]) -> None:
    """It would otherwise take part with the sales of a synthetic bakery, unnoticed."""
    with pytest.raises(SettingsError, match="found no data; wanted sales='/path"):
        NodeSettings.from_config(config)


def test_a_misspelt_key_of_a_node_config_is_named() -> None:
    """With what there is."""
    with pytest.raises(SettingsError, match="found sale; known are sales, images, bakery, home"):
        NodeSettings.from_config({"sale": "/srv/x.csv", "bakery": "North"})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("partition-id", "3", "node config partition-id: found '3'; wanted a whole number"),
        ("sales", 7, "node config sales: found 7; wanted text"),
        ("bakery", 5, "node config bakery: found 5; wanted text"),
        ("partition-id", -1, "node config partition-id: found -1; wanted one from 0 up"),
    ],
)
def test_a_wrong_node_config_is_refused(key: str, value: ConfigValue, message: str) -> None:
    """A node told nonsense says so instead of playing another bakery."""
    with pytest.raises(SettingsError) as caught:
        NodeSettings.from_config({key: value})
    assert str(caught.value) == message


def test_the_environment_names_the_device_of_a_run_that_leaves_it_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cluster's job says gpu for all its runs; a run that says cpu itself stays there."""
    monkeypatch.setenv("GLEAN_DEVICE", "gpu")
    assert RunSettings.from_config({}).tree_device == "gpu"
    assert RunSettings.from_config({"device": "cpu"}).tree_device == "cpu"
    monkeypatch.setenv("GLEAN_DEVICE", "mi300x")
    with pytest.raises(SettingsError, match="GLEAN_DEVICE: device: found 'mi300x'"):
        RunSettings.from_config({})
    assert RunSettings.from_config({}, environment={}).tree_device == "cpu"


def test_fedavg_on_a_gpu_is_refused() -> None:
    """It would learn on the CPU without a word."""
    with pytest.raises(SettingsError, match="device: found 'gpu'; fedavg learns on the CPU"):
        RunSettings.from_config({"aggregation": "fedavg", "device": "gpu"})


def test_settings_keep_their_hash_to_themselves() -> None:
    """Equal ones find each other in a cache, also one that comes from another process."""
    settings = RunSettings.from_config({"seed": 7})
    same, other = RunSettings.from_config({"seed": 7}), RunSettings.from_config({"seed": 8})
    assert hash(settings) == hash(same)
    assert {settings: "found"}.get(same) == "found"
    assert other not in {settings: "found"}
    carried = copy.copy(settings)  # by the state that a process gets
    assert carried == settings
    assert vars(carried) == {
        field.name: getattr(settings, field.name) for field in fields(settings)
    }
    assert hash(replace(settings, seed=8)) == hash(other)
