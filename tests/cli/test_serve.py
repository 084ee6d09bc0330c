"""`glean serve`: what it refuses before it serves."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glean.cli.app import app

RUNNER = CliRunner()


def refused(*words: str | Path) -> str:
    """Words on stderr of a command that ends with exit code 2."""
    result = RUNNER.invoke(app, ["serve", *map(str, words)])
    assert result.exit_code == 2, result.output
    return result.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])  # noqa: S104
def test_no_token_travels_in_the_clear(tmp_path: Path, host: str) -> None:
    """Other addresses than the machine's own want TLS, or a proxy that speaks it."""
    said = refused("--results", tmp_path, "--host", host)
    assert "tokens would travel in the clear" in said
    assert "--behind-proxy" in said


def test_a_certificate_and_its_key_go_together(tmp_path: Path) -> None:
    """One alone is a slip."""
    assert "go together" in refused("--results", tmp_path, "--certificate", tmp_path / "a.pem")


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    """With the option that takes another."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = refused("--results", tmp_path, "--port", str(port))
    assert f"port {port}" in said
    assert "--port takes another one" in said


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    """Before anything is served."""
    (tmp_path / "taken").write_text("a file")
    assert "can't keep anything in" in refused("--results", tmp_path / "taken", "--port", "0")


def test_the_list_of_runs_is_made_anew(tmp_path: Path) -> None:
    """And the command ends."""
    result = RUNNER.invoke(app, ["serve", "--results", str(tmp_path), "--rebuild"])
    assert (result.exit_code, result.output) == (0, f"0 runs found in {tmp_path}\n")


def test_webhooks_come_by_the_environment_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Several, parted by blanks: who knows such an address may write there."""
    monkeypatch.setenv("GLEAN_WEBHOOKS", "https://example.org/a nowhere")
    said = refused("--results", tmp_path, "--port", "0")
    assert "'nowhere'" in said
    assert "example.org/a" not in said.partition("wanted")[0]
