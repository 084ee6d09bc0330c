"""An MLflow in this process, as its client sees it, which fails where a test says so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from glean.runs.index import StoredRun

TAG = "glean.run_id"


@dataclass
class ScriptedRun:
    """What it has of a run."""

    run_id: str
    tags: dict[str, str]
    metrics: set[tuple[str, float, int, int]] = field(default_factory=set)
    params: dict[str, str] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    status: str = "RUNNING"
    deleted: bool = False


@dataclass
class ScriptedVersion:
    """What it has of a version."""

    name: str
    number: int
    tags: dict[str, str]
    deleted: bool = False


def packaged(_run: StoredRun, folder: Path) -> None:
    """Write a model that takes no time."""
    folder.mkdir()
    (folder / "MLmodel").write_text("made up")


class ScriptedMlflow:
    """Takes the calls that `TrackingServer` makes of MLflow's client.

    Parameters
    ----------
    failures : sequence of str
        By the number of the call: "" answers, "away" does nothing, "lost" does it and loses the
        answer. Calls beyond answer.
    """

    def __init__(self, failures: Sequence[str] = ()) -> None:
        self.failures = list(failures)
        self.calls: list[str] = []
        self.runs: list[ScriptedRun] = []
        self.versions: list[ScriptedVersion] = []
        self.models: set[str] = set()
        self.experiments: dict[str, str] = {}
        self.aliases: dict[str, int] = {}

    def fails_from(self, number: int) -> None:
        """Answer so many calls more, and none after that."""
        self.failures = [""] * (len(self.calls) + number) + ["away"] * 1000

    def is_back(self) -> None:
        """Answer all calls from now on."""
        self.failures = []

    def runs_of(self, name: str) -> list[str]:
        """Glean's runs behind the versions of a model, by number."""
        return [v.tags[TAG] for v in self.versions if v.name == name and not v.deleted]

    def add_version(self, name: str, run_id: str) -> None:
        """As somebody else registers one."""
        self.versions.append(ScriptedVersion(name, len(self.versions) + 1, {TAG: run_id}))

    def __getattr__(self, name: str) -> Any:
        done = getattr(type(self), f"do_{name}")

        def called(*given: Any, **told: Any) -> Any:
            from mlflow.exceptions import MlflowException

            failure = self.failures[len(self.calls)] if len(self.calls) < len(self.failures) else ""
            self.calls.append(name)
            if not failure:
                return done(self, *given, **told)
            if failure == "lost":
                with suppress(MlflowException):
                    done(self, *given, **told)
            raise MlflowException("no answer came")

        return called

    def do_get_experiment_by_name(self, name: str) -> Any:
        found = self.experiments.get(name)
        return SimpleNamespace(experiment_id=found) if found else None

    def do_create_experiment(self, name: str) -> str:
        if name in self.experiments:
            raise _refused("RESOURCE_ALREADY_EXISTS", f"{name} is there")
        return self.experiments.setdefault(name, str(len(self.experiments) + 1))

    def do_search_runs(self, _experiments: Any, query: str, max_results: int) -> list[Any]:
        found = [r for r in self.runs if r.tags.get(TAG) == _wanted(query) and not r.deleted]
        return [SimpleNamespace(info=r) for r in found[:max_results]]

    def do_create_run(
        self, _experiment: str, *, start_time: int, tags: dict[str, str], run_name: str
    ) -> Any:
        assert start_time
        assert run_name
        self.runs.append(ScriptedRun(f"run{len(self.runs)}", dict(tags)))
        return SimpleNamespace(info=self.runs[-1])

    def do_delete_run(self, run_id: str) -> None:
        self._run(run_id).deleted = True

    def do_log_batch(self, run_id: str, metrics: Any, params: Any, tags: Any) -> None:
        run = self._run(run_id)
        run.metrics |= {(m.key, m.value, m.timestamp, m.step) for m in metrics}
        for param in params:
            assert run.params.setdefault(param.key, param.value) == param.value
        run.tags |= {tag.key: tag.value for tag in tags}

    def do_log_artifact(self, run_id: str, path: str, folder: str) -> None:
        self._run(run_id).files.add(f"{folder}/{Path(path).name}")

    def do_log_artifacts(self, run_id: str, path: str, folder: str) -> None:
        names = {str(p.relative_to(path)) for p in Path(path).rglob("*") if p.is_file()}
        self._run(run_id).files |= {f"{folder}/{name}" for name in names}

    def do_set_terminated(self, run_id: str, status: str, end_time: int) -> None:
        assert end_time
        self._run(run_id).status = status

    def do_get_registered_model(self, name: str) -> None:
        if name not in self.models:
            raise _refused("RESOURCE_DOES_NOT_EXIST", f"no model {name}")

    def do_create_registered_model(self, name: str) -> None:
        if name in self.models:
            raise _refused("RESOURCE_ALREADY_EXISTS", f"{name} is there")
        self.models.add(name)

    def do_search_model_versions(self, query: str, max_results: int) -> list[Any]:
        found = [v for v in self.versions if v.tags.get(TAG) == _wanted(query) and not v.deleted]
        return [SimpleNamespace(version=str(v.number)) for v in found[:max_results]]

    def do_create_model_version(
        self, name: str, _source: str, run_id: str, *, tags: dict[str, str], **_: Any
    ) -> Any:
        assert "model/MLmodel" in self._run(run_id).files, "registered before it was there"
        number = max((v.number for v in self.versions), default=0) + 1
        self.versions.append(ScriptedVersion(name, number, dict(tags)))
        return SimpleNamespace(version=str(number))

    def do_delete_model_version(self, name: str, number: str) -> None:
        for version in self.versions:
            version.deleted |= (version.name, str(version.number)) == (name, number)

    def do_get_model_version_by_alias(self, _name: str, alias: str) -> Any:
        if alias not in self.aliases:
            raise _refused("INVALID_PARAMETER_VALUE", f"no alias {alias}")
        number = self.aliases[alias]
        tags = next(v.tags for v in self.versions if v.number == number)
        return SimpleNamespace(version=str(number), tags=tags)

    def do_set_registered_model_alias(self, _name: str, alias: str, number: str) -> None:
        self.aliases[alias] = int(number)

    def _run(self, run_id: str) -> ScriptedRun:
        found = next((run for run in self.runs if run.run_id == run_id), None)
        if found is None:
            raise _refused("RESOURCE_DOES_NOT_EXIST", f"no run {run_id}")
        return found


@contextmanager
def served_by(server: ScriptedMlflow) -> Iterator[None]:
    """Have whoever asks a registry in the body ask this one."""
    with mock.patch("glean.registry.tracking_server._client_of", return_value=server):
        yield


def _refused(code: str, text: str) -> Exception:
    from mlflow.exceptions import RestException

    refused: Exception = RestException({"error_code": code, "message": text})
    return refused


def _wanted(query: str) -> str:
    found = re.search(r"= '(\d+)'$", query)
    assert found, query
    return found[1]
