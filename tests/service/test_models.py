"""Versions of the model, which is in production, and what they forecast."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.testclient import TestClient

from glean.service.services import Services
from glean.service.store.tables import RunRow


@pytest.fixture(autouse=True)
def _made_here(services: Services) -> Iterator[None]:
    """Without the worker process, which takes seconds to start."""
    with mock.patch.object(
        type(services.workers), "run", lambda _, function, *given: function(*given)
    ):
        yield


@pytest.fixture
def versions(services: Services, results: Path) -> list[str]:
    """Ids of three versions."""
    first = next(results.glob("2*"))
    for number in ("8001", "8002"):
        shutil.copytree(first, results / f"20260101T000000Z-{number}")
    services.discovery.refresh()
    return [version.run.id for version in services.models.all()]


def promote(client: TestClient, admin: dict[str, str], model: str) -> Any:
    return client.post(f"/api/v1/models/{model}/promote", headers=admin)


def test_one_version_is_in_production(
    client: TestClient, admin: dict[str, str], versions: list[str]
) -> None:
    """The one promoted last; with a history of who did it."""
    assert client.get("/api/v1/models/production", headers=admin).status_code == 404
    for model in versions[:2]:
        assert promote(client, admin, model).json()["in_production"]
    found = client.get("/api/v1/models", headers=admin).json()
    assert [m["id"] for m in found["models"] if m["in_production"]] == [versions[1]]
    assert [p["model"] for p in found["promotions"]] == versions[:2]
    assert client.get("/api/v1/models/production", headers=admin).json()["id"] == versions[1]
    assert promote(client, admin, "none").status_code == 404


def test_steps_back_go_back_as_one_undoes(
    client: TestClient, admin: dict[str, str], versions: list[str]
) -> None:
    """And end with the first; a promotion after one goes on from there."""

    def back() -> Any:
        return client.post("/api/v1/models/roll-back", headers=admin)

    assert back().status_code == 409
    for model in versions:
        promote(client, admin, model)
    assert [back().json()["id"] for _ in range(2)] == [versions[1], versions[0]]
    assert back().status_code == 409
    promote(client, admin, versions[2])
    assert back().json()["id"] == versions[0]


def test_a_line_that_was_cut_off_costs_no_other(
    client: TestClient, admin: dict[str, str], versions: list[str], results: Path
) -> None:
    """Of a full disk or a power cut half a line may be left: what comes after is kept, too."""
    promote(client, admin, versions[0])
    with (results / ".service" / "promotions.jsonl").open("a") as file:
        file.write('{"model": "80')
    assert promote(client, admin, versions[1]).json()["in_production"]
    found = client.get("/api/v1/models", headers=admin).json()
    assert [item["model"] for item in found["promotions"]] == versions[:2]


def test_what_was_deleted_is_stepped_over(
    client: TestClient, admin: dict[str, str], versions: list[str]
) -> None:
    """A step back leads to the version before it; what is in production isn't deleted at all."""
    for model in versions:
        promote(client, admin, model)
    assert client.delete(f"/api/v1/runs/{versions[2]}", headers=admin).status_code == 409
    assert client.delete(f"/api/v1/runs/{versions[1]}", headers=admin).status_code == 204
    for status in (200, 409):
        assert client.post("/api/v1/models/roll-back", headers=admin).status_code == status
    found = client.get("/api/v1/models/production", headers=admin).json()
    assert found["id"] == versions[0]


def test_a_model_of_another_workload_forecasts_nothing(
    client: TestClient, admin: dict[str, str], versions: list[str], services: Services
) -> None:
    """Nor is it put into production, where forecasts and plans go by it."""
    with services.database.transaction() as session:
        row = session.get(RunRow, versions[0])
        assert row is not None
        row.workload = "iris"
    assert promote(client, admin, versions[0]).status_code == 409
    body = {"model": versions[0], "rows": []}
    answer = client.post("/api/v1/forecasts", headers=admin, json=body)
    assert answer.status_code == 422
    assert "workload iris; wanted one of demand" in answer.json()["detail"]


def test_a_version_has_its_card_and_its_file(
    client: TestClient, admin: dict[str, str], versions: list[str], results: Path
) -> None:
    """The file to the byte."""
    card = client.get(f"/api/v1/models/{versions[0]}/card", headers=admin)
    assert card.status_code == 200
    assert "model" in str(card.json())
    file = client.get(f"/api/v1/models/{versions[0]}/file", headers=admin)
    assert file.content == (next(results.glob("2*")) / "model.ubj").read_bytes()


def rows_of(path: str, bakery: str) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["bakery"] == bakery]


@pytest.mark.parametrize("kind", ["forecasts", "plans"])
def test_rows_in_the_body_are_forecast_as_their_file_would_be(
    client: TestClient,
    admin: dict[str, str],
    versions: list[str],
    three_bakeries: str,
    kind: str,
) -> None:
    """As JSON and as CSV; a table that was uploaded gives the same."""
    promote(client, admin, versions[0])
    content = Path(three_bakeries).read_bytes()
    uploaded = client.post("/api/v1/datasets?file=a.csv", headers=admin, content=content)
    bodies: list[dict[str, Any]] = [
        {"rows": rows_of(three_bakeries, "bakery 1")},
        {"dataset": uploaded.json()["id"], "bakery": "bakery 1", "model": versions[0]},
    ]
    answers = [client.post(f"/api/v1/{kind}", headers=admin, json=body) for body in bodies]
    assert [answer.status_code for answer in answers] == [200, 200], answers[0].text
    first, second = (answer.json() for answer in answers)
    assert first == second
    assert first["bakery"] == "bakery 1"
    assert {row["product"] for row in first["rows"]} == {"product 0", "product 1"}
    text = client.post(f"/api/v1/{kind}?format=csv", headers=admin, json=bodies[0])
    assert text.headers["content-type"].startswith("text/csv")
    listed = list(csv.DictReader(text.text.splitlines()))
    assert [row["product"] for row in listed] == [row["product"] for row in first["rows"]]


@pytest.mark.parametrize("kind", ["forecasts", "plans"])
def test_an_answer_is_in_the_language_that_its_body_asks_for(
    client: TestClient, admin: dict[str, str], versions: list[str], three_bakeries: str, kind: str
) -> None:
    """Whatever the header of a browser says; with the same numbers as in English."""
    promote(client, admin, versions[0])
    body = {"rows": rows_of(three_bakeries, "bakery 1")}
    headers = admin | {"Accept-Language": "fr"}
    asked = [
        client.post(f"/api/v1/{kind}", headers=headers, json=body | more)
        for more in ({}, {"language": "de"}, {"language": "it"})
    ]
    assert [answer.status_code for answer in asked] == [200, 200, 422]
    english, german = (answer.json() for answer in asked[:2])
    assert "the federation's model" in english["chosen"]
    assert "Modell der Föderation" in german["chosen"]
    numbers = [
        [{name: value for name, value in row.items() if name != "why"} for row in made["rows"]]
        for made in (english, german)
    ]
    assert numbers[0] == numbers[1]


def test_what_can_not_be_forecast_is_said_by_its_rows(
    client: TestClient, admin: dict[str, str], versions: list[str], services: Services
) -> None:
    """Every problem of the rows; nothing of where things lie on the service's machine."""
    promote(client, admin, versions[0])
    wrong = [{"date": "x", "product": "a", "units": 1}, {"date": "2024-01-01", "units": -5}]
    answer = client.post("/api/v1/forecasts", headers=admin, json={"rows": wrong})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["detail"].startswith("sales.csv, line 2, column 'date'")
    nothing = client.post("/api/v1/plans", headers=admin, json={})
    assert nothing.status_code == 422
    assert str(services.settings.results) not in answer.text + nothing.text
