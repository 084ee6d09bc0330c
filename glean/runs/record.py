"""The record of a run: its folder, and what its `run.json` says so far."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from glean.runs.code_version import code_fingerprint
from glean.runs.events import RunFinished
from glean.runs.folder import RunFolder, discard_reserve, utc_now
from glean.runs.process_tree import this_process
from glean.settings import ConfigValue


@dataclass
class RunRecord:
    """What is written down of a run.

    Parameters
    ----------
    folder : RunFolder
        The run's folder.
    engine : str
        "inprocess", "ray" or "deployment".
    content : dict
        What `run.json` says.
    """

    folder: RunFolder
    engine: str
    content: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def begin(cls, config: Mapping[str, ConfigValue], *, run_id: int, engine: str) -> Self:
        """Make the folder and write what is known before anything is done.

        Raises
        ------
        FederationError
            The folder can't be made.
        """
        facts: dict[str, Any] = {
            "settings": dict(config),
            "seed": config.get("seed"),
            "versions": _versions(),
            "code": code_fingerprint(),
            "engine": engine,
            "process": this_process(),
            "start": utc_now(),
            "end": None,
            "status": "running",
            "reason": "",
        }
        results = Path(str(config.get("output-dir") or "results"))
        return cls(RunFolder.create(results, run_id=run_id, facts=facts), engine, facts)

    def note(self, **facts: Any) -> None:
        """Add facts to `run.json`."""
        self.content |= facts
        self.folder.write_run(self.content)

    def end(
        self, status: str, *, reason: str = "", before_last: Callable[[], object] | None = None
    ) -> None:
        """Write how the run ended; `before_last` still belongs to it, and may fail it.

        A full disk is no reason not to say so: the run's reserve makes room.
        """
        if status != "completed":
            discard_reserve(self.folder.path)
        self.note(status=status, reason=reason, end=utc_now())
        if before_last is not None:
            before_last()
        self.folder.append_event(RunFinished(status, reason))
        discard_reserve(self.folder.path)


_PACKAGES = {"xgboost": ("xgboost", "xgboost-cpu")}
"""Where several packages bring the same."""


def _versions() -> dict[str, str]:
    names = ("glean", "flwr", "ray", "xgboost", "scikit-learn", "numpy", "pandas")
    return {"python": platform.python_version()} | {name: _version(name) for name in names}


def _version(name: str) -> str:
    for package in _PACKAGES.get(name, (name,)):
        with suppress(PackageNotFoundError):
            return version(package)
    return "not installed"  # Glean itself, where only Flower's app bundle of it is there
