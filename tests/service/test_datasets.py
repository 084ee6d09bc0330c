"""Uploaded tables: kept with what was found, or refused with every problem."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.testclient import TestClient

from glean.service.services import Services

Upload = Callable[..., Any]


@pytest.fixture(autouse=True)
def _checked_here(services: Services) -> Iterator[None]:
    """Without the worker process, which takes seconds to start."""
    with mock.patch.object(
        type(services.workers), "run", lambda _, function, *given: function(*given)
    ):
        yield


@pytest.fixture
def upload(client: TestClient, admin: dict[str, str]) -> Upload:
    def send(content: bytes | Iterator[bytes], file: str = "sales.csv") -> Any:
        return client.post(
            "/api/v1/datasets", params={"file": file}, headers=admin, content=content
        )

    return send


def test_a_good_table_is_kept_with_what_was_found(
    client: TestClient, admin: dict[str, str], upload: Upload, three_bakeries: str
) -> None:
    """And can be deleted."""
    answer = upload(Path(three_bakeries).read_bytes())
    found = answer.json()
    assert answer.status_code == 201
    assert (found["bakeries"], found["products"]) == (["bakery 0", "bakery 1", "bakery 2"], 6)
    assert found["verdict"].startswith("sales.csv can be used")
    assert client.get("/api/v1/datasets", headers=admin).json()["datasets"] == [found]
    path = f"/api/v1/datasets/{found['id']}"
    assert client.get(path, headers=admin).json() == found
    assert client.delete(path, headers=admin).status_code == 204
    assert client.get(path, headers=admin).status_code == 404


def test_a_bad_table_is_refused_with_every_problem(upload: Upload, services: Services) -> None:
    """By line and column, without where it lies on the service's machine; nothing is kept."""
    rows = "date,bakery,product,units\n2024-01-01,a,b,x\n2024-13-01,a,b,1\n2024-01-02,a,b,-1\n"
    answer = upload(rows.encode())
    problem = answer.json()
    assert (answer.status_code, problem["detail"]) == (422, "3 things are wrong")
    assert problem["errors"][0]["detail"].startswith("sales.csv, line 2, column 'units'")
    assert str(services.settings.results) not in answer.text
    assert list(services.settings.datasets.iterdir()) == []


def test_what_is_too_large_is_refused_before_it_is_all_there(
    upload: Upload, services: Services
) -> None:
    """Also where its length isn't told."""

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 2**20

    for content in (b"x" * (2**20 + 1), endless()):
        answer = upload(content)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
    assert list(services.settings.datasets.iterdir()) == []


@pytest.mark.parametrize(
    "file", ["sales.exe", "", ".csv", "a\x00.csv", "x" * 250 + ".csv", "sales.xlsx", "a\n.csv"]
)
def test_only_what_is_called_like_a_table_is_taken(upload: Upload, file: str) -> None:
    """Of any other it is said what makes a table of it."""
    assert upload(b"", file).status_code == 422


@pytest.mark.parametrize("file", ["../../sales.csv", "/etc/cron.d/sales.csv", "..\\sales.csv"])
def test_a_name_with_a_path_loses_it(
    upload: Upload, services: Services, three_bakeries: str, file: str
) -> None:
    """The file lies where all do."""
    found = upload(Path(three_bakeries).read_bytes(), file).json()
    assert found["file"] == "sales.csv"
    assert services.datasets.table_of(found["id"]).parent.parent == services.settings.datasets


def test_leftovers_of_a_killed_service_are_cleared(services: Services) -> None:
    """Uploads that were cut off; datasets stay."""
    (services.settings.datasets / ".upload-1").mkdir()
    services.datasets.clear_leftovers()
    assert list(services.settings.datasets.iterdir()) == []


def test_a_run_learns_from_a_dataset(
    client: TestClient, admin: dict[str, str], upload: Upload, three_bakeries: str
) -> None:
    """By its id; an unknown one is refused."""
    dataset = upload(Path(three_bakeries).read_bytes()).json()["id"]
    body = {"engine": "inprocess", "dataset": dataset, "settings": {"test-days": 14}}
    run = client.post("/api/v1/runs", headers=admin, json=body)
    assert run.status_code == 201
    assert run.json()["settings"]["sales"].endswith(f"{dataset}/sales.csv")
    body["dataset"] = "none"
    assert client.post("/api/v1/runs", headers=admin, json=body).status_code == 404


def test_a_table_that_a_run_needs_is_not_deleted(
    client: TestClient, admin: dict[str, str], upload: Upload, three_bakeries: str
) -> None:
    """Once that run was taken back it is."""
    dataset = upload(Path(three_bakeries).read_bytes()).json()["id"]
    body = {"engine": "inprocess", "dataset": dataset, "settings": {"test-days": 14}}
    run = client.post("/api/v1/runs", headers=admin, json=body).json()["id"]
    refused = client.delete(f"/api/v1/datasets/{dataset}", headers=admin)
    assert (refused.status_code, run in refused.json()["detail"]) == (409, True)
    client.post(f"/api/v1/runs/{run}/stop", headers=admin)
    assert client.delete(f"/api/v1/datasets/{dataset}", headers=admin).status_code == 204


def test_what_is_sold_can_be_drawn(
    client: TestClient, admin: dict[str, str], upload: Upload, three_bakeries: str
) -> None:
    """Of a bakery of the table, or of all."""
    path = f"/api/v1/datasets/{upload(Path(three_bakeries).read_bytes()).json()['id']}/series"
    together = client.get(path, headers=admin).json()
    assert (together["bakery"], together["step"]) == ("", "day")
    alone = client.get(path, headers=admin, params={"bakery": "bakery 1"}).json()
    assert alone["bakery"] == "bakery 1"
    assert alone["days"] == together["days"]
    assert client.get(path, headers=admin, params={"bakery": "none"}).status_code == 404
    assert client.get("/api/v1/datasets/none/series", headers=admin).status_code == 404
