"""`glean setup`: what is missing is appended to Flower's configuration, nothing else changes."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glean.errors import FederationError
from glean.federation.launch import connections
from glean.federation.launch.connections import (
    CONNECTIONS,
    add_connections,
    find_connection,
    flower_home,
)

NAMES = ["local-simulation", "cluster-cpu", "cluster-gpu"]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Flower's configuration file of a home that isn't the user's."""
    monkeypatch.setenv("FLWR_HOME", str(tmp_path / "flower"))
    (tmp_path / "flower").mkdir()
    return tmp_path / "flower" / "config.toml"


def known(config: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(config.read_bytes().decode())["superlink"]
    return found


def test_the_design_s_connections_are_there() -> None:
    """Three names, which the commands use."""
    assert list(CONNECTIONS) == NAMES


def test_all_are_added_to_an_empty_file(config: Path) -> None:
    """Each is a local simulation; `flwr run . local-simulation` has five bakeries."""
    config.write_bytes(b"")
    assert add_connections() == NAMES
    assert [known(config)[name]["address"] for name in NAMES] == [":local:"] * 3
    assert known(config)["local-simulation"]["options"]["num-supernodes"] == 5


def test_a_second_time_nothing_is_written(config: Path) -> None:
    """Same bytes, same time of change."""
    config.write_bytes(b"")
    add_connections()
    before, stamp = config.read_bytes(), config.stat().st_mtime_ns
    assert add_connections() == []
    assert (config.read_bytes(), config.stat().st_mtime_ns) == (before, stamp)


@pytest.mark.parametrize("use", [add_connections, lambda: find_connection("here")])
def test_a_home_that_is_a_file_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[], object]
) -> None:
    """Without a try of Flower's, which takes long and says nothing."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    monkeypatch.setattr(connections, "_let_flower_write_its_own", lambda: pytest.fail("tried"))
    for name in ("file", "loop"):
        monkeypatch.setenv("FLWR_HOME", str(tmp_path / name))
        with pytest.raises(FederationError, match=rf"{name}: found what is no folder; wanted one"):
            use()


OLD = """# my own, don't touch
[superlink]
default = "here"   # a comment
[superlink.here]
address = "127.0.0.1:9"
[superlink.cluster-cpu]
address = "mine.example.org:1"
"""


@pytest.mark.parametrize(
    "content",
    [
        OLD.encode(),
        OLD.rstrip("\n").encode(),
        OLD.replace("\n", "\r\n").encode(),
        b"\n\n" + OLD.encode() + b"\n\n\t \n",
        "# Bäckerei\n".encode() + OLD.encode(),
    ],
    ids=["plain", "no last line break", "Windows", "blank lines", "umlauts"],
)
def test_every_byte_of_the_rest_is_kept(content: bytes, config: Path) -> None:
    """The file begins with what was there; a connection that has one of the names stays."""
    config.write_bytes(content)
    assert add_connections() == ["local-simulation", "cluster-gpu"]
    assert config.read_bytes().startswith(content)
    assert known(config)["cluster-cpu"] == {"address": "mine.example.org:1"}
    assert known(config)["default"] == "here"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(present=st.permutations(NAMES), count=st.integers(0, 3))
def test_only_what_is_missing_is_added(present: list[str], count: int, config: Path) -> None:
    """Whichever of the three are there already."""
    here = present[:count]
    config.write_text("".join(f'[superlink.{name}]\naddress = "x"\n' for name in here))
    assert add_connections() == [name for name in NAMES if name not in here]
    assert {name for name, item in known(config).items() if item["address"] == "x"} == set(here)


@pytest.mark.parametrize(
    "content",
    [
        b"[superlink\n",
        b'superlink = "text"\n',
        b"superlink = 3\n",
        b'superlink = { here = { address = "x" } }\n',
        b"[[superlink]]\n",
        b"# caf\xe9\n",
        b"\xff\xfe[\x00",
    ],
)
def test_a_broken_file_is_refused_and_left_alone(content: bytes, config: Path) -> None:
    """Whatever can't be read or appended to is named with its path; not a byte of it changes."""
    config.write_bytes(content)
    with pytest.raises(FederationError, match=r"config\.toml"):
        add_connections()
    assert config.read_bytes() == content
    assert list(config.parent.iterdir()) == [config]


def test_a_file_that_can_not_be_written_is_named(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full or locked disk is a sentence; the old file is whole and no scrap lies beside it."""
    config.write_bytes(OLD.encode())

    def refuse(_path: Path, _target: Path) -> None:
        raise PermissionError("locked")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(FederationError, match=r"config\.toml can't be written: locked"):
        add_connections()
    assert config.read_bytes() == OLD.encode()
    assert list(config.parent.iterdir()) == [config]


def test_a_file_that_can_not_be_read_is_named(config: Path) -> None:
    """A folder where the file should be is a sentence, not a traceback."""
    config.mkdir()
    with pytest.raises(FederationError, match=r"config\.toml can't be read"):
        add_connections()


def test_a_linked_file_stays_a_link(config: Path, tmp_path: Path) -> None:
    """Those who keep their settings elsewhere find the connections there."""
    elsewhere = tmp_path / "dotfiles.toml"
    elsewhere.write_bytes(OLD.encode())
    elsewhere.chmod(0o600)
    config.symlink_to(elsewhere)
    add_connections()
    assert config.is_symlink()
    assert "local-simulation" in known(elsewhere)
    assert elsewhere.stat().st_mode & 0o777 == 0o600


def test_flower_writes_its_own_file_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a new home Flower is let make its default, so that its own connections are there too."""
    home = tmp_path / "new"
    monkeypatch.setenv("FLWR_HOME", str(home))

    def made() -> None:
        home.mkdir()
        (home / "config.toml").write_text('[superlink]\ndefault = "local"\n')

    monkeypatch.setattr(connections, "_let_flower_write_its_own", made)
    assert add_connections() == NAMES
    assert known(home / "config.toml")["default"] == "local"


def test_where_flower_wrote_nothing_the_file_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connections are what counts."""
    monkeypatch.setenv("FLWR_HOME", str(tmp_path / "a" / "b"))
    monkeypatch.setattr(connections, "_let_flower_write_its_own", lambda: None)
    assert add_connections() == NAMES
    assert list(known(tmp_path / "a" / "b" / "config.toml")) == NAMES


def test_flower_s_home_is_the_one_that_flower_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    """`FLWR_HOME` where it is set, `~/.flwr` otherwise; `~` is the user's home."""
    monkeypatch.setenv("FLWR_HOME", "~/elsewhere")
    assert flower_home() == Path.home() / "elsewhere"
    monkeypatch.setenv("FLWR_HOME", "")
    assert flower_home() == Path.home() / ".flwr"
    monkeypatch.delenv("FLWR_HOME")
    assert flower_home() == Path.home() / ".flwr"
