"""OpenAPI says what the API does, and no request made from it breaks the service."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import hypothesis
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from glean import __version__
from glean.operations.rehearsal import detached_rehearsal
from glean.operations.worker_pool import WorkerPool
from glean.service.app import create_app
from glean.service.problems import MEDIA_TYPE
from glean.service.services import Services, open_services
from glean.service.settings import ServiceSettings
from tests.service.federations import make_federation

OPENAPI = "/api/v1/openapi.json"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
HEALTH = ("/healthz", "/readyz")
MADE_UP_REHEARSAL = "tests.operations.rehearsal.made_up_worker"
JOINING = ("/join", "/join/ca.crt")
ALL = {"400", "401", "403", "404", "409", "410", "413", "416", "422", "429", "503", "507"}


@pytest.fixture
def services(results: Path) -> Iterator[Services]:
    """A service with room for many runs, whose worker's work is done in this process."""
    shutil.copytree(next(results.glob("2*")), results / "20260101T000000Z-8001")
    federation = make_federation(results).path
    settings = ServiceSettings(
        results=results, longest_queue=20, upload_mb=1, federation=federation
    )
    found = open_services(settings)
    found.discovery.refresh()
    with (
        mock.patch.object(WorkerPool, "run", lambda _, function, *given: function(*given)),
        mock.patch.object(detached_rehearsal, "_WORKER", MADE_UP_REHEARSAL),
    ):
        yield found
        found.rehearsal.end()
    found.workers.close()
    found.database.close()


@pytest.fixture
def schema(services: Services) -> dict[str, Any]:
    """What OpenAPI says."""
    return create_app(services).openapi()


def operations(schema: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every route with its method, and what is said of it."""
    return [
        (f"{method.upper()} {path}", operation)
        for path, item in schema["paths"].items()
        for method, operation in item.items()
    ]


@pytest.fixture
def known(client: TestClient, admin: dict[str, str], three_bakeries: str) -> dict[str, list[str]]:
    """Names that there are, by the parameters and fields that take them."""
    content = Path(three_bakeries).read_bytes()
    table = client.post("/api/v1/datasets?file=sales.csv", headers=admin, content=content)
    small = {"engine": "inprocess", "bakeries": 3}
    made = [client.post("/api/v1/runs", headers=admin, json=small).json()["id"] for _ in range(3)]
    ended = [run["id"] for run in client.get("/api/v1/models", headers=admin).json()["models"]]
    for model in ended:
        client.post(f"/api/v1/models/{model}/promote", headers=admin)
    token = client.post("/api/v1/tokens", headers=admin, json={"name": "Ada"}).json()
    invitations = [
        client.post("/api/v1/invitations", headers=admin, json={"bakery": name}).json()
        for name in ("Harbour", "Hill")
    ]
    return {
        "run_id": made + ended,
        "run": ended,
        "resume": ended,
        "model": [*ended, "production"],
        "model_id": [*ended, "production"],
        "dataset": [table.json()["id"]],
        "dataset_id": [table.json()["id"]],
        "bakery": table.json()["bakeries"],
        "token_id": [token["id"]],
        "invitation_id": [one["id"] for one in invitations],
        "name": ["model.ubj", "run.json", "rounds.csv"],
        "file": ["sales.csv"],
        "format": ["csv"],
        "Range": ["bytes=0-9", "bytes=0-3,5-7", "bytes=-5", "bytes=9999999-", "bytes=x"],
    }


def without_lifespan(services: Services) -> Callable[[Scope, Receive, Send], Any]:
    """The application, whose supervisor starts none of the runs that are asked for."""
    app = create_app(services)

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] != "lifespan", "not supported"
        await app(scope, receive, send)

    return served


def aimed(data: st.DataObject, given: Any, known: dict[str, list[str]]) -> None:
    """Put names that there are in place of half of those made up."""
    for name in sorted(known.keys() & given) if isinstance(given, dict) else ():
        if data.draw(st.booleans()):
            given[name] = data.draw(st.sampled_from(known[name]))


def cases_of(route: Any) -> st.SearchStrategy[Any]:
    """Requests to a route, valid ones and others; where nothing is asked for all are valid."""
    valid: st.SearchStrategy[Any] = route.as_strategy()
    if not list(route.iter_parameters()) and not route.body:
        return valid
    invalid = route.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE)
    return st.one_of(valid, invalid)


def send_cases(
    services: Services, headers: dict[str, str], known: dict[str, list[str]], cases: int
) -> Counter[str]:
    """Send so many requests to all routes; how often each status came. What deletes comes last."""
    described = schemathesis.openapi.from_asgi(OPENAPI, without_lifespan(services))
    routes: list[Any] = [
        found.ok() for found in described.get_all_operations() if isinstance(found, Ok)
    ]
    statuses: Counter[str] = Counter()

    def send(data: st.DataObject, requests: st.SearchStrategy[Any]) -> None:
        case = data.draw(requests)
        for given in (case.path_parameters, case.query, case.headers, case.body):
            aimed(data, given, known)
        answer = case.call(headers=dict(headers))
        statuses[f"{case.operation.label} {answer.status_code}"] += 1
        case.validate_response(answer, checks=CHECKS, headers=headers)

    each = hypothesis.settings(
        max_examples=cases // (len(routes) - len(HEALTH)) + 2,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    for route in sorted(routes, key=lambda route: bool(route.method == "delete")):
        requests = st.just(cases_of(route))
        each(hypothesis.seed(1)(hypothesis.given(st.data(), requests)(send)))()
    return statuses


@pytest.mark.slow
def test_no_request_breaks_the_service(
    services: Services, admin: dict[str, str], known: dict[str, list[str]]
) -> None:
    """Every answer is declared, with its content type and schema, and none is a server's error."""
    statuses = send_cases(services, admin, known, 300)
    assert statuses.total() >= 300
    assert {"POST /api/v1/runs 201", "POST /api/v1/runs 422"} <= set(statuses)
    # The seed is fixed, yet a new field of a body changes what is made: 69 kinds at this time.
    assert len(statuses) > 50, "answers of all kinds were looked at"


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_no_request_of_thousands_breaks_the_service(
    services: Services, admin: dict[str, str], known: dict[str, list[str]]
) -> None:
    """Three thousand of them."""
    statuses = send_cases(services, admin, known, 3000)
    assert statuses.total() >= 3000


def test_every_route_is_described(schema: dict[str, Any]) -> None:
    """By a summary, and by examples where it has a body."""
    assert schema["openapi"].startswith("3.1")
    assert schema["info"]["version"] == __version__
    bodies = 0
    for route, operation in operations(schema):
        assert operation["summary"], route
        for body in operation.get("requestBody", {}).get("content", {}).values():
            name = body["schema"].get("$ref", "").rpartition("/")[2]
            described = schema["components"]["schemas"].get(name, {})
            assert "example" in body or described.get("examples"), route
            bodies += 1
    assert bodies == 10


def test_examples_of_bodies_are_valid(schema: dict[str, Any]) -> None:
    """Each after its own schema."""
    for name, described in schema["components"]["schemas"].items():
        whole = described | {"components": schema["components"]}
        for example in described.get("examples", []):
            assert jsonschema_rs.is_valid(whole, example), name


def test_every_error_is_declared(schema: dict[str, Any]) -> None:
    """All are problem details, but that it isn't ready; health and joining want no token."""
    for route, operation in operations(schema):
        errors = {status for status in operation["responses"] if status >= "400"}
        if route.endswith(HEALTH):
            assert errors <= {"503"}, route
            continue
        of_token = set() if route.endswith(JOINING) else {"401", "403"}
        assert of_token | {"429", "503"} <= errors <= ALL, route
        for status in errors:
            (media_type,) = operation["responses"][status]["content"]
            assert media_type == MEDIA_TYPE, route
        assert ({"400", "413"} <= errors) >= ("requestBody" in operation), route


@pytest.mark.parametrize(
    ("given", "status"), [("bytes=9999999-", 416), ("bytes=x", 400), ("x", 400)]
)
@pytest.mark.parametrize("path", ["runs/{}/files/model.ubj", "models/{}/file"])
def test_a_range_that_is_none_is_a_problem(
    client: TestClient, admin: dict[str, str], path: str, given: str, status: int
) -> None:
    """And says how large the file is."""
    (run, *_) = client.get("/api/v1/runs", headers=admin).json()["runs"]
    path = f"/api/v1/{path.format(run['id'])}"
    size = len(client.get(path, headers=admin).content)
    answer = client.get(path, headers=admin | {"Range": given})
    assert (answer.status_code, answer.headers["content-type"]) == (status, MEDIA_TYPE)
    assert f"{size} bytes" in answer.json()["detail"]
    assert answer.headers.get("content-range") == (f"bytes */{size}" if status == 416 else None)


def test_half_a_surrogate_is_no_text(client: TestClient, admin: dict[str, str]) -> None:
    """JSON lets it through as an escape, but nothing can be written with it."""
    rows = [{"date": "2026-05-01", "product": "\ud800", "units": 1}]
    bodies = {
        "forecasts": {"model": "1", "rows": rows},
        "plans": {"model": "1", "rows": rows},
        "runs": {"engine": "inprocess", "settings": {"units-label": "\ud800"}},
    }
    for path, body in bodies.items():
        sent = json.dumps(body)
        headers = admin | {"Content-Type": "application/json"}
        answer = client.post(f"/api/v1/{path}", headers=headers, content=sent)
        assert answer.status_code == 422, path
        assert "surrogates" in answer.text


def test_numbers_beyond_the_database_s_are_refused(
    client: TestClient, admin: dict[str, str]
) -> None:
    """They can't be compared there."""
    assert client.get(f"/api/v1/audit-log?before={2**63 - 1}", headers=admin).status_code == 200
    assert client.get(f"/api/v1/audit-log?before={2**63}", headers=admin).status_code == 422


def test_an_event_that_json_can_not_hold_hides_no_other(
    client: TestClient, admin: dict[str, str], results: Path
) -> None:
    """A score that is no number is null; text that can't be written is left out, and counted."""
    path = results / "20260101T000000Z-8001" / "events.jsonl"
    before = len(path.read_bytes().splitlines())
    fresh = ['{"event": "a", "score": NaN}', '{"event": "\\ud800"}', '{"event": "b", "score": 1}']
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in fresh)
    answer = client.get(f"/api/v1/runs/8001/events?since={before}", headers=admin)
    wanted = [
        {"number": before + 1, "event": {"event": "a", "score": None}},
        {"number": before + 3, "event": {"event": "b", "score": 1}},
    ]
    assert answer.json()["events"] == wanted
    live = f"/api/v1/runs/8001/live?since={before}"
    with client.websocket_connect(live, headers=admin) as socket:
        assert [
            json.loads(socket.receive_text(), parse_constant=pytest.fail) for _ in wanted
        ] == wanted
