"""A run that was interrupted: what its `run.json` says, and the settings that continue it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from glean.errors import FederationError, GleanError, SettingsError
from glean.regular_files import absolute_path
from glean.runs.code_version import code_fingerprint
from glean.runs.index import read_run
from glean.runs.model_card import MODEL_NAMES
from glean.runs.process_tree import still_runs
from glean.settings import ConfigValue, RunSettings

MAY_DIFFER = ("min-available-bakeries", "round-timeout-s", "resume", "output-dir")
"""Settings that change no byte of the model as long as the same bakeries are there."""


def read_interrupted(run: Path) -> Mapping[str, Any]:
    """Read `run.json` of a run that can be continued.

    Raises
    ------
    FederationError
        There is no such run, it has completed, or was made by other code than this.
    """
    if not run.is_dir():
        raise FederationError(f"resume: found no folder {run}; wanted a run's, like results/latest")
    try:
        stored = read_run(run)
    except GleanError as error:
        raise _no_run(run, str(error)) from error
    if not stored.status:
        raise _no_run(run, "it says nothing of a status; wanted a run's folder")
    facts, status = stored.facts, stored.status
    _check_facts(run, facts)
    code = facts.get("code", "unknown")
    if status == "completed":
        raise FederationError(
            f"resume: the run {run} is completed, there is nothing to continue. To train its model "
            f"further, on newer rows, begin a run with start-from={_newest_model(run)}"
        )
    if status == "running" and still_runs(facts.get("process")):
        raise FederationError(
            f"resume: the run {run} still goes on (process {facts['process']['pid']}); wait for "
            "its end, or stop it first"
        )
    if code != code_fingerprint():
        raise FederationError(
            f"resume: the run {run} was made by other code ({code}) than this "
            f"({code_fingerprint()}), which would go on to another model. Install that version "
            f"again, or begin a run with this one and start-from={_newest_model(run)}"
        )
    return facts


def _check_facts(run: Path, facts: Mapping[str, Any]) -> None:
    earlier, nodes = facts.get("resumed_from") or "", facts.get("nodes", 0)
    if not isinstance(earlier, str) or (earlier and Path(earlier) == run):
        raise _no_run(run, f"found resumed_from {earlier!r:.80}; wanted an earlier run's folder")
    if type(nodes) is not int:
        raise _no_run(run, f"found nodes {nodes!r:.80}; wanted a whole number")


def settings_of(facts: Mapping[str, Any]) -> RunSettings:
    """Read the settings of a run from its `run.json`.

    Raises
    ------
    SettingsError
        They are none that a run can have.
    """
    # As it was written: the environment of that run has gone into it, this one's is no part of it.
    return RunSettings.from_config(facts.get("settings") or {}, environment={})


def check_same_settings(facts: Mapping[str, Any], config: Mapping[str, ConfigValue]) -> None:
    """Refuse to continue a run with other settings.

    Parameters
    ----------
    facts : mapping
        `run.json` of the run to continue.
    config : mapping
        Run config that was given, or a part of it.

    Raises
    ------
    SettingsError
        Names each setting that differs and isn't in `MAY_DIFFER`, a line each.
    """
    had = settings_of(facts).to_config()
    problems = [
        f"{key}: found {value!r}; the run to resume has {had[key]!r}, and goes on with that only"
        for key, value in config.items()
        if key not in MAY_DIFFER and value != had[key]
    ]
    if problems:
        hint = "`--resume` of `glean simulate` and `glean run` takes the settings over by itself"
        raise SettingsError("\n".join([*problems, hint]))


def resumed_config(run: Path, given: Mapping[str, ConfigValue]) -> dict[str, ConfigValue]:
    """Make the run config that continues a run.

    Parameters
    ----------
    run : Path
        Folder of the run to continue.
    given : mapping
        What was given besides, checked: only keys of `MAY_DIFFER` change anything.

    Returns
    -------
    dict
        Every key of the run config.

    Raises
    ------
    FederationError
        There is no such run, it has completed, or was made by other code than this.
    SettingsError
        Names each setting given that differs from the run's.
    """
    facts = read_interrupted(run)
    check_same_settings(facts, given)
    return {**settings_of(facts).to_config(), **given, "resume": str(absolute_path(run))}


def _no_run(run: Path, why: str) -> FederationError:
    return FederationError(f"resume: {run} has no run.json of a run: {why}")


def _newest_model(run: Path) -> Path:
    """Its final model, or that of its last round."""
    last = [run / name for name in MODEL_NAMES if (run / name).is_file()]
    kinds = {Path(name).suffix for name in MODEL_NAMES}
    by_round = sorted(path for path in run.glob("models/round_*") if path.suffix in kinds)
    return next(iter([*last, *by_round[::-1]]), run / "model.ubj")
