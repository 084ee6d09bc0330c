"""`glean database`, and `--database` with a password in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from glean.cli.app import app
from glean.service.serving_file import only_service
from glean.service.store.database import latest_revision
from tests.postgres import Cluster

RUNNER = CliRunner()


def typed(*words: str | Path, url: str = "") -> Result:
    return RUNNER.invoke(app, [str(word) for word in words], env={"GLEAN_DATABASE": url})


def test_tables_go_forward_and_back_by_hand(tmp_path: Path) -> None:
    """Of the file beside the results; not while a service runs over them."""
    results = ("--results", tmp_path)
    (tmp_path / ".service").mkdir()
    assert "tables: none yet" in typed("database", "show", *results).stdout
    assert typed("database", "upgrade", *results).stdout == f"tables: {latest_revision()}\n"
    assert typed("database", "downgrade", "0002", *results).stdout == "tables: 0002\n"
    shown = typed("database", "show", *results).stdout
    assert f"tables: 0002; this version's: {latest_revision()}" in shown
    with only_service(tmp_path / ".service"):
        refused = typed("database", "downgrade", "0001", *results)
    assert (refused.exit_code, "already: end that first" in refused.stderr) == (2, True)
    unknown = typed("database", "downgrade", "nine", *results)
    assert (unknown.exit_code, "nine" in unknown.stderr) == (2, True)


def test_the_same_at_postgresql(tmp_path: Path, postgres: Cluster, postgres_database: str) -> None:
    """By the variable, which shows no password to anybody."""
    results = ("--results", tmp_path)
    upgraded = typed("database", "upgrade", *results, url=postgres_database)
    assert (upgraded.stdout, upgraded.stderr) == (f"tables: {latest_revision()}\n", "")
    shown = typed("database", "show", *results, url=postgres_database)
    assert f"glean:***@127.0.0.1:{postgres.port}/" in shown.stdout
    assert postgres.password not in shown.output


@pytest.mark.parametrize("password", ["secret", ""])
def test_a_password_that_is_typed_is_warned_of(tmp_path: Path, password: str) -> None:
    """Nobody is, who types none; it isn't repeated."""
    url = f"postgresql://ada:{password}@127.0.0.1:1/none" if password else "sqlite://"
    said = typed("database", "show", "--results", tmp_path, "--database", url)
    assert ("everybody on this machine" in said.stderr) == bool(password)
    assert "secret" not in said.output
