"""What `glean node` refuses before it speaks to a server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from glean.cli.app import app
from glean.errors import CertificateError, FederationError, SettingsError
from glean.operations.joining.bakery_node import home_to_itself, prepare_node, read_node_config
from glean.privacy.certificate_folder import make_certificates


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bakery's folder of keys."""
    folder = tmp_path_factory.mktemp("keys")
    return make_certificates(folder / "k", hosts=["127.0.0.1"], bakeries=["Hafen"]).bakeries[
        "Hafen"
    ]


CONFIG: dict[str, Any] = {"sales": "/srv/sales.csv", "home": "/srv/home", "min-contributors": 3}


def test_a_good_config_is_taken_as_flower_takes_it(keys: Path, tmp_path: Path) -> None:
    """Texts, whole and other numbers keep their types."""
    path = tmp_path / "bakery.toml"
    path.write_text(
        'sales = "/srv/sales.csv"\nhome = "/srv/home"\nmin-contributors = 3\n', encoding="utf-8"
    )
    config = read_node_config(path)
    assert config == CONFIG
    prepared = prepare_node(
        "shop.example:443", authority=keys / "ca.crt", key=keys / "node-key", config=config
    )
    assert prepared.home == Path("/srv/home")
    assert "PRIVATE" not in repr(prepared)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"home": ""}, "found no home"),
        ({"sales": "", "partition-id": 0}, "found no sales"),
        ({"pricacy": "sums"}, "found pricacy"),
        ({"min-contributors": 2}, "min-contributors: found 2"),
    ],
)
def test_a_config_that_says_something_else_is_refused(
    change: dict[str, Any], words: str, keys: Path
) -> None:
    """In the words of the node config."""
    with pytest.raises(SettingsError, match=words):
        prepare_node(
            "shop.example:443",
            authority=keys / "ca.crt",
            key=keys / "node-key",
            config=CONFIG | change,
        )


@pytest.mark.parametrize("address", ["", "shop.example", "shop.example:https", ":443"])
def test_an_address_without_host_or_port_is_refused(address: str, keys: Path) -> None:
    """It is quoted."""
    with pytest.raises(SettingsError, match="wanted HOST:PORT"):
        prepare_node(address, authority=keys / "ca.crt", key=keys / "node-key", config=CONFIG)


@pytest.mark.parametrize("name", ["signing-key", "node-key.pub", "ca.crt", "missing"])
def test_a_key_of_another_kind_is_refused(name: str, keys: Path) -> None:
    """And so is none."""
    with pytest.raises(CertificateError, match=r"wanted `node-key`|can't be read"):
        prepare_node("a:1", authority=keys / "ca.crt", key=keys / name, config=CONFIG)


@pytest.mark.parametrize("text", ["sales = ", "[table]\nsales = 1", "sales = ['a']", "\xff"])
def test_what_is_no_config_is_refused_with_its_path(text: str, tmp_path: Path) -> None:
    """Whether it isn't TOML, or holds more than plain values."""
    path = tmp_path / "bakery.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"bakery\.toml"):
        read_node_config(path)


def test_two_nodes_in_one_home_are_one_too_many(tmp_path: Path) -> None:
    """They would answer with each other's journal."""
    second = home_to_itself(tmp_path / "home")
    with (
        home_to_itself(tmp_path / "home"),
        pytest.raises(FederationError, match="another node is at work"),
        second,
    ):
        pass
    with home_to_itself(tmp_path / "home"):
        pass


def test_the_command_says_what_is_wrong(tmp_path: Path, keys: Path) -> None:
    """On standard error, with exit code 2."""
    words = ["node", "a:1", "--root-certificates", str(keys / "ca.crt")]
    words += ["--key", str(keys / "node-key"), "--config", str(tmp_path / "none.toml")]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "none.toml can't be read" in result.output
