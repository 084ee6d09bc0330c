"""Commands as typed, run in this process, and what they leave behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import Result
from typer.testing import CliRunner

from glean.cli.app import app

QUICK = {
    "leaf-values": "scaled",
    "num-server-rounds": "2",
    "max-depth": "2",
    "test-days": "14",
    "validation-days": "14",
    "baselines": "false",
}


def glean(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def simulate(*words: str | Path, **changes: str) -> Result:
    """Simulate in this process, quickly unless a key says otherwise ("_" for "-")."""
    config = QUICK | {key.replace("_", "-"): value for key, value in changes.items()}
    settings = [word for key, value in config.items() for word in ("--set", f"{key}={value}")]
    return glean("simulate", "--engine", "inprocess", *settings, *words)


def facts_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return found


def events_of(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]
