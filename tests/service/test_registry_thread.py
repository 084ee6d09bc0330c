"""What a service tells a registry of models, and what it hears from there: the alias both ways."""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.testclient import TestClient

from glean.errors import GleanError
from glean.operations.registry import sending
from glean.operations.registry.sending import Registry
from glean.operations.worker_pool import WorkerPool
from glean.service.data import registry_thread
from glean.service.data.registry_thread import RegistryThread
from glean.service.services import Services
from tests.registry.scripted_mlflow import (
    ScriptedMlflow,
    ScriptedVersion,
    packaged,
    served_by,
)

pytest.importorskip("mlflow")


@pytest.fixture
def mlflow() -> Iterator[ScriptedMlflow]:
    """A registry in this process, asked without the worker process."""
    found = ScriptedMlflow()
    with (
        served_by(found),
        mock.patch("glean.registry.run_sender.write_package", packaged),
        mock.patch.object(
            WorkerPool, "run", lambda _, function, *given: _unapart(function)(*given)
        ),
    ):
        yield found


def _unapart(function: Any) -> Any:
    """In this process signals are the tests'."""
    return sending.send_runs if function.__name__ == "send_apart" else function


@pytest.fixture
def thread(services: Services, mlflow: ScriptedMlflow) -> RegistryThread:  # noqa: ARG001
    """Looks when it is told to."""
    registry = Registry("http://registry.example.org")
    return RegistryThread(services.settings, registry, services.models, services.audit_log)


@pytest.fixture
def versions(services: Services, results: Path) -> list[str]:
    """Flower's ids of three runs that completed, in the order in which they began."""
    first = next(results.glob("2*"))
    for number in ("8001", "8002"):
        shutil.copytree(first, results / f"20260101T000000Z-{number}")
    services.discovery.refresh()
    return sorted(
        (version.run.flower_id for version in services.models.all()),
        key=lambda run_id: next(results.glob(f"2*-{run_id}")).name,
    )


def in_production(services: Services) -> str:
    return services.models.find("production").run.flower_id


def test_runs_go_there_in_the_order_in_which_they_began(
    thread: RegistryThread, mlflow: ScriptedMlflow, versions: list[str]
) -> None:
    """A version a run, however often it looks; the newest is the candidate."""
    thread.look_once()
    thread.look_once()
    assert mlflow.runs_of("glean") == versions
    assert mlflow.aliases == {"candidate": 3}
    assert thread.check() == ""


def test_the_alias_follows_the_control_room_and_it_the_alias(
    thread: RegistryThread, mlflow: ScriptedMlflow, versions: list[str], services: Services
) -> None:
    """Promoted here, moved there, taken back here: both always mean the same."""
    thread.look_once()
    assert "production" not in mlflow.aliases
    services.models.promote(versions[0], by="somebody")
    thread.look_once()
    assert mlflow.aliases["production"] == 1

    mlflow.aliases["production"] = 2
    thread.look_once()
    assert in_production(services) == versions[1]
    assert services.models.history()[-1].by == "mlflow"
    thread.look_once()
    assert len(services.models.history()) == 2, "what is agreed isn't promoted again"

    services.models.roll_back(by="somebody")
    thread.look_once()
    assert mlflow.aliases["production"] == 1

    del mlflow.aliases["production"]
    thread.look_once()
    assert mlflow.aliases["production"] == 1, "nothing is in production by no choice"


def test_where_both_changed_the_control_room_counts(
    thread: RegistryThread, mlflow: ScriptedMlflow, versions: list[str], services: Services
) -> None:
    """Also over a restart: what was agreed is kept."""
    services.models.promote(versions[0], by="somebody")
    thread.look_once()
    services.models.promote(versions[2], by="somebody")
    mlflow.aliases["production"] = 2
    registry = Registry("http://registry.example.org")
    RegistryThread(services.settings, registry, services.models, services.audit_log).look_once()
    assert mlflow.aliases["production"] == 3
    assert in_production(services) == versions[2]


def test_an_alias_on_a_stranger_s_version_is_said_once_and_left(
    thread: RegistryThread,
    mlflow: ScriptedMlflow,
    versions: list[str],
    services: Services,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A run that isn't here can't be put into production here."""
    thread.look_once()
    services.models.promote(versions[0], by="somebody")
    thread.look_once()
    mlflow.add_version("glean", run_id="4711")
    mlflow.aliases["production"] = 4
    with caplog.at_level(logging.WARNING):
        thread.look_once()
        thread.look_once()
    assert in_production(services) == versions[0]
    assert mlflow.aliases["production"] == 4
    assert len([record for record in caplog.records if "4711" in record.message]) == 1


def test_an_alias_on_a_version_of_no_run_is_said_once_and_left(
    thread: RegistryThread,
    mlflow: ScriptedMlflow,
    versions: list[str],
    services: Services,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As of a model that somebody made by other means; promoting here takes the alias back."""
    thread.look_once()
    services.models.promote(versions[0], by="somebody")
    thread.look_once()
    mlflow.versions.append(ScriptedVersion("glean", 4, {}))
    mlflow.aliases["production"] = 4
    with caplog.at_level(logging.WARNING):
        thread.look_once()
        thread.look_once()
    assert mlflow.aliases["production"] == 4
    assert in_production(services) == versions[0]
    assert len([record for record in caplog.records if "version 4" in record.message]) == 1
    services.models.promote(versions[1], by="somebody")
    thread.look_once()
    assert mlflow.aliases["production"] == 2


def test_a_run_that_comes_after_its_alias_is_promoted_then(
    thread: RegistryThread,
    mlflow: ScriptedMlflow,
    versions: list[str],
    services: Services,
    results: Path,
) -> None:
    """As one of a worker on another machine, whose folder takes its time."""
    thread.look_once()
    there = results / f"20260101T000000Z-{versions[1]}"
    kept = there.rename(results.with_name("kept"))
    mlflow.aliases["production"] = 2
    thread.look_once()
    assert services.models.current() == ""
    kept.rename(there)
    thread.look_once()
    assert in_production(services) == versions[1]


def test_what_is_promoted_during_a_look_counts(
    thread: RegistryThread, mlflow: ScriptedMlflow, versions: list[str], services: Services
) -> None:
    """The alias was moved before, and the control room after it was looked at."""
    thread.look_once()
    services.models.promote(versions[0], by="somebody")
    thread.look_once()
    mlflow.aliases["production"] = 2
    look = sending.look_at_production

    def meanwhile(*given: Any) -> Any:
        found = look(*given)
        services.models.promote(versions[2], by="somebody")
        return found

    with mock.patch("glean.service.data.registry_thread.look_at_production", meanwhile):
        thread.look_once()
    assert in_production(services) == versions[2]
    thread.look_once()
    assert in_production(services) == versions[2]
    assert mlflow.aliases["production"] == 3


def test_what_was_agreed_with_another_registry_counts_for_nothing(
    thread: RegistryThread, mlflow: ScriptedMlflow, versions: list[str], services: Services
) -> None:
    """Where a service is told another one, it's the control room that has the say."""
    thread.look_once()
    services.models.promote(versions[0], by="somebody")
    thread.look_once()
    mlflow.aliases["production"] = 2
    other = Registry("http://other.example.org")
    RegistryThread(services.settings, other, services.models, services.audit_log).look_once()
    assert in_production(services) == versions[0]
    assert mlflow.aliases["production"] == 1


def test_what_was_refused_is_tried_again_after_a_while(
    thread: RegistryThread,
    mlflow: ScriptedMlflow,
    versions: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A disk that was full has room again; why it was refused is said once."""
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(registry_thread, "REFUSED_S", 0.0)
    with mock.patch("glean.registry.run_sender.write_package", side_effect=full):
        thread.look_once()
        thread.look_once()
    assert mlflow.runs_of("glean") == []
    said = [record for record in caplog.records if "No space left" in record.message]
    assert len(said) == len(versions)
    thread.look_once()
    assert mlflow.runs_of("glean") == versions


def test_a_registry_that_is_down_is_told_by_readyz_and_asked_again(
    thread: RegistryThread, mlflow: ScriptedMlflow, versions: list[str]
) -> None:
    """The look ends with the reason; the next one goes on where it ended."""
    mlflow.fails_from(7)
    with pytest.raises(GleanError, match="doesn't answer"):
        thread.look_once()
    mlflow.is_back()
    thread.look_once()
    assert mlflow.runs_of("glean") == versions


def test_a_registered_model_is_asked_for_by_rest_at_the_version_that_it_has_then(
    client: TestClient, admin: dict[str, str], services: Services
) -> None:
    """An alias becomes a version when the run is asked for; other paths aren't taken."""
    seen: list[Any] = []

    def made(function: Any, *given: Any) -> Any:
        seen.append((function.__name__, *given))
        if function.__name__ == "with_pinned_model":
            return {**given[0], "start-from": "models:/glean/7"}
        return None

    body = {"engine": "inprocess", "settings": {"start-from": "models:/glean@production"}}
    with mock.patch.object(services.workers, "run", made):
        answer = client.post("/api/v1/runs", json=body, headers=admin)
        assert answer.status_code == 201, answer.text
        assert answer.json()["settings"]["start-from"] == "models:/glean/7"
        assert seen[-1][1].settings["start-from"] == "models:/glean/7"
        body["settings"] = {"start-from": "/etc/passwd"}
        refused = client.post("/api/v1/runs", json=body, headers=admin)
    assert refused.status_code == 422
    assert "models:/glean/3" in refused.text
