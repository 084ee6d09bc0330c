"""Uploaded tables: kept with what was found, or refused with every problem."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from starlette.testclient import TestClient

from glean.languages.language import LANGUAGES
from glean.sales.quality import data_check
from glean.service.services import Services
from tests.sales.quality.test_odd_days import shop

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


def said_in(client: TestClient, admin: dict[str, str], path: str, **query: str) -> dict[str, Any]:
    answer = client.get(path, headers=admin, params=query)
    assert answer.status_code == 200, answer.text
    return {key: answer.json()[key] for key in ("remarks", "verdict")}


def odd_table() -> bytes:
    """A table of which there is something to say."""
    rows = shop().assign(note="x")
    return rows[rows["date"] != "2024-03-06"].to_csv(index=False).encode()


def test_remarks_and_verdict_are_given_in_a_language(
    client: TestClient, admin: dict[str, str], upload: Upload
) -> None:
    """In English unless it is asked for, of one table and in the list; in none that there isn't."""
    found = upload(odd_table()).json()
    path = f"/api/v1/datasets/{found['id']}"
    english = said_in(client, admin, path)
    assert english == {key: found[key] for key in ("remarks", "verdict")}
    assert english == said_in(client, admin, path, language="en")
    assert english["verdict"] == "sales.csv can be used as it is."
    german, french = (said_in(client, admin, path, language=code) for code in ("de", "fr"))
    assert german["verdict"] == "sales.csv lässt sich so verwenden."
    assert french["verdict"] == "sales.csv est utilisable tel quel."
    assert english["remarks"][-1] == "Columns of text that aren't used: note."
    assert german["remarks"][-1] == "Textspalten, die nicht genutzt werden: note."
    for code, said in (("en", english), ("de", german), ("fr", french)):
        listed = client.get("/api/v1/datasets", headers=admin, params={"language": code}).json()
        assert {key: listed["datasets"][0][key] for key in ("remarks", "verdict")} == said
    for place in (path, "/api/v1/datasets"):
        assert client.get(f"{place}?language=it", headers=admin).status_code == 422


def test_a_table_is_looked_over_once(upload: Upload) -> None:
    """However many languages there are: looking is what takes long."""
    with mock.patch.object(data_check, "examine", wraps=data_check.examine) as examine:
        assert upload(odd_table()).status_code == 201
    assert examine.call_count == 1


def test_a_table_of_an_earlier_version_is_read(
    client: TestClient, admin: dict[str, str], upload: Upload, services: Services
) -> None:
    """Its remarks and its verdict are one text each, and shown as they are."""
    found = upload(odd_table()).json()
    about = services.settings.datasets / found["id"] / "dataset.json"
    written = json.loads(about.read_text("utf-8"))
    assert set(written["summary"]["remarks"]) == set(written["summary"]["verdict"]) == {*LANGUAGES}
    old = {"remarks": ["A: no rows."], "verdict": "It can be used. Next: glean simulate"}
    written["summary"] |= old
    about.write_text(json.dumps(written), "utf-8")
    for code in LANGUAGES:
        path = f"/api/v1/datasets/{found['id']}"
        assert said_in(client, admin, path, language=code) == old


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
