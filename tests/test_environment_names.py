"""Variables of earlier picture pipelines, and the settings that they stand for."""

from __future__ import annotations

import re

import pytest

from glean.cli.typed_settings import typed_settings
from glean.environment_names import (
    LIGHTWEIGHT,
    NAMES,
    kafka_address,
    kafka_topics,
    settings_from,
    with_client_name,
)
from glean.errors import SettingsError
from glean.node_settings import NodeSettings
from glean.runs.code_version import PACKAGE
from glean.settings import ConfigValue, RunSettings

IMAGES: dict[str, ConfigValue] = {"workload": "images"}


def test_each_name_is_a_setting_of_its_type() -> None:
    """And the run config that comes of them all is one."""
    found = settings_from(
        {
            "DATA_DIR": "/data",
            "IMAGE_SIZE": "32",
            "ROUNDS": "7",
            "FRACTION_FIT": "0.5",
            "FRACTION_EVAL": "0.25",
            "MIN_FIT_CLIENTS": "2",
            "MIN_EVAL_CLIENTS": "4",
            "MIN_AVAILABLE_CLIENTS": "3",
            "REDUCED_DATA_SIZE": "100",
            "USE_LIGHTWEIGHT_MODEL": "True",
        },
        IMAGES,
    )
    assert found == {
        "images": "/data",
        "image-size": 32,
        "num-server-rounds": 7,
        "fraction-train": 0.5,
        "fraction-evaluate": 0.25,
        "min-available-bakeries": 4,
        "reduced-data": 100,
        "image-model": "cnn-small",
    }
    assert RunSettings.from_config(IMAGES | found).image.image_size == 32


def test_what_was_typed_counts_before_the_environment() -> None:
    """Also where it is the default."""
    given = IMAGES | {"num-server-rounds": 20, "image-model": "cnn"}
    assert settings_from({"ROUNDS": "3", LIGHTWEIGHT: "1"}, given) == {}


def test_other_workloads_do_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable called ROUNDS may be anybody's."""
    monkeypatch.setenv("ROUNDS", "3")
    assert typed_settings([]) == {}
    assert typed_settings(["workload=iris"]) == {"workload": "iris"}
    assert typed_settings(["workload=images"])["num-server-rounds"] == 3


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ROUNDS", "many", "the environment variable ROUNDS: num-server-rounds: found 'many'"),
        ("FRACTION_FIT", "2", "the environment variable FRACTION_FIT: fraction-train: found 2.0"),
        (LIGHTWEIGHT, "perhaps", "USE_LIGHTWEIGHT_MODEL: found 'perhaps'; wanted true or false"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_the_variable_s_name(
    name: str, value: str, said: str
) -> None:
    """Nobody typed the setting."""
    with pytest.raises(SettingsError, match=re.escape(said)):
        settings_from({name: value}, IMAGES)


def test_empty_variables_say_nothing() -> None:
    """As in a container whose variables are declared and not set."""
    assert settings_from(dict.fromkeys([*NAMES, LIGHTWEIGHT], ""), IMAGES) == {}


def test_a_node_finds_its_pictures_by_the_environment() -> None:
    """Where its node config names no data of its own; a simulation's nodes don't look."""
    environment = {"DATA_DIR": "/data"}
    node = NodeSettings.from_config({"bakery": "north"}, environment)
    assert node.images == "/data"
    own = {"bakery": "north", "images": "/own"}
    assert NodeSettings.from_config(own, environment).images == "/own"
    table = {"bakery": "north", "sales": "/own.csv"}
    assert NodeSettings.from_config(table, environment).images == ""
    assert NodeSettings.from_config({"partition-id": 0}, environment).images == ""


@pytest.mark.parametrize("name", [*NAMES, LIGHTWEIGHT])
def test_the_page_has_a_row_for_each(name: str) -> None:
    """With the setting that it stands for."""
    page = (PACKAGE.parent / "docs" / "images.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `{name}` \| `{NAMES.get(name, 'image-model=cnn-small')}`", page, re.M)


def test_a_node_with_pictures_has_a_name() -> None:
    """A table names its bakery; a folder of pictures nobody."""
    with pytest.raises(SettingsError, match="node config bakery: found none with images"):
        NodeSettings.from_config({"images": "/data"}, {})


@pytest.mark.parametrize(
    ("typed", "servers", "wanted"),
    [
        ("kafka:///north", "one:9092", "kafka://one:9092/north"),
        ("kafka://", "one:9092,two:9093", "kafka://one:9092,two:9093"),
        ("kafka:///north", "PLAINTEXT://one:9092, PLAINTEXT://two", "kafka://one:9092,two/north"),
        ("kafka+sasl://me@/north", "one:9094", "kafka+sasl://me@one:9094/north"),
        ("kafka://there:1/north", "one:9092", "kafka://there:1/north"),
    ],
)
def test_brokers_that_are_not_typed_come_from_the_environment(
    typed: str, servers: str, wanted: str
) -> None:
    """What was typed counts before it."""
    assert kafka_address(typed, {"BOOTSTRAP_SERVERS": servers}) == wanted


@pytest.mark.parametrize("environment", [{}, {"BOOTSTRAP_SERVERS": "  "}])
def test_an_address_without_brokers_is_refused(environment: dict[str, str]) -> None:
    """It says where they may stand."""
    with pytest.raises(SettingsError, match="environment variable BOOTSTRAP_SERVERS"):
        kafka_address("kafka:///north", environment)


def test_a_password_is_not_in_what_is_said_of_an_address() -> None:
    """The user's name is."""
    with pytest.raises(SettingsError) as refused:
        kafka_address("kafka+sasl://glean:geheim@/north", {})
    assert "kafka+sasl://glean@/north" in str(refused.value)
    assert "geheim" not in str(refused.value)


def test_topics_and_a_client_are_named_by_the_environment() -> None:
    """A node config counts before it."""
    assert kafka_topics({"MODEL_TOPIC": "model", "UPDATE_TOPIC": "updates"}) == ("model", "updates")
    assert kafka_topics({}) == ("", "")
    named = {"CLIENT_ID": "north"}
    assert with_client_name({"images": "/data"}, named) == {"images": "/data", "bakery": "north"}
    assert with_client_name({"bakery": "south"}, named) == {"bakery": "south"}
    assert with_client_name({"sales": "/data"}, {}) == {"sales": "/data"}
