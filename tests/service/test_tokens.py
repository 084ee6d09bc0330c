"""Who may do what: tokens, their scopes, their end, and guessing."""

from __future__ import annotations

import datetime as dt
import logging
from unittest import mock

import pytest
from starlette.testclient import TestClient

from glean.errors import GleanError
from glean.service.accounts import attempts, tokens
from glean.service.accounts.scopes import Scope
from glean.service.services import Services
from tests.service.conftest import token


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


@pytest.mark.parametrize("scope", list(Scope))
@pytest.mark.parametrize("needed", list(Scope))
def test_a_scope_covers_itself_and_those_before_it(scope: Scope, needed: Scope) -> None:
    """Who may run may read; who may read may not run."""
    order = [Scope.READ, Scope.RUN, Scope.ADMIN]
    assert scope.covers(needed) == (order.index(scope) >= order.index(needed))


READING = [
    ("GET", "/api/v1/runs"),
    ("GET", "/api/v1/datasets"),
    ("GET", "/api/v1/models"),
    ("GET", "/api/v1/myself"),
    ("GET", "/api/v1/workers"),
    ("GET", "/api/status"),
    ("GET", "/api/metrics"),
    ("GET", "/api/config"),
]
RUNNING = [
    ("POST", "/api/v1/runs"),
    ("POST", "/api/start"),
    ("POST", "/api/stop"),
    ("POST", "/api/v1/datasets?file=a.csv"),
    ("POST", "/api/v1/models/roll-back"),
    ("POST", "/api/v1/models/none/promote"),
    ("POST", "/api/v1/runs/none/stop"),
]
DOING_ALL = [
    ("GET", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens"),
    ("DELETE", "/api/v1/tokens/none"),
    ("GET", "/api/v1/audit-log"),
    ("PUT", "/api/config"),
    ("DELETE", "/api/v1/runs/none"),
    ("DELETE", "/api/v1/datasets/none"),
]


@pytest.mark.parametrize("scope", list(Scope))
def test_each_route_asks_for_its_scope(
    client: TestClient, services: Services, scope: Scope
) -> None:
    """Refused with 403 exactly where the scope is too little."""
    headers = token(services, scope)
    for needed, routes in zip(Scope, (READING, RUNNING, DOING_ALL), strict=True):
        for method, path in routes:
            answer = client.request(method, path, headers=headers, json={"engine": "none"})
            assert (answer.status_code == 403) != scope.covers(needed), (method, path)


def test_without_a_token_nothing_but_health_answers(client: TestClient) -> None:
    """401, with the way to ask; the two health checks are for machines."""
    for method, path in READING + RUNNING + DOING_ALL:
        answer = client.request(method, path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), path
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200


def test_a_token_is_nowhere_in_the_clear(
    services: Services, caplog: pytest.LogCaptureFixture, client: TestClient
) -> None:
    """Neither in the database nor in the log nor in the list."""
    caplog.set_level(logging.DEBUG)
    _, text = services.tokens.create("Ada", Scope.ADMIN)
    listed = client.get("/api/v1/tokens", headers=bearer(text))
    secret = text.split("_", 2)[2]
    assert secret not in listed.text
    assert secret not in caplog.text
    services.database.close()
    for path in services.settings.home.glob("service.db*"):
        assert secret.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    "text", ["", "x", "glean", "glean_", "glean_a_b", "glean__", "\u00e9_\x00_"]
)
def test_what_is_no_token_opens_nothing(services: Services, text: str) -> None:
    """However odd."""
    assert services.tokens.prove(text) is None


def test_another_secret_under_the_same_prefix_opens_nothing(services: Services) -> None:
    """Nor does one letter more."""
    _, text = services.tokens.create("Ada", Scope.READ)
    assert services.tokens.prove(text) is not None
    assert services.tokens.prove(text + "a") is None
    assert services.tokens.prove(text[:-1]) is None


def test_a_token_expires(services: Services) -> None:
    """At once, though it was shown a moment ago."""
    _, text = services.tokens.create("Ada", Scope.READ, days=1)
    later = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat(timespec="seconds")
    with mock.patch.object(tokens, "utc_now", return_value=later):
        assert services.tokens.prove(text) is None


def test_a_revoked_token_opens_nothing_any_more(client: TestClient, admin: dict[str, str]) -> None:
    """Not even for the minute in which one that was proved is remembered."""
    made = client.post("/api/v1/tokens", headers=admin, json={"name": "Ben", "scope": "run"})
    assert made.status_code == 201
    ben = bearer(made.json()["token"])
    assert client.get("/api/v1/myself", headers=ben).json() == {"name": "Ben", "scope": "run"}
    assert client.delete(f"/api/v1/tokens/{made.json()['id']}", headers=admin).status_code == 204
    assert client.get("/api/v1/myself", headers=ben).status_code == 401


def test_the_last_who_may_do_everything_stays(services: Services) -> None:
    """Nobody could make another one."""
    first, _ = services.tokens.create("Ada", Scope.ADMIN)
    with pytest.raises(GleanError, match="the last token"):
        services.tokens.revoke(first.id)
    services.tokens.create("Ben", Scope.ADMIN)
    assert services.tokens.revoke(first.id) is not None


def test_an_address_may_not_guess_for_long(client: TestClient, services: Services) -> None:
    """After ten wrong tokens it waits, also with a right one; another address doesn't."""
    _, right = services.tokens.create("Ada", Scope.READ)
    for _ in range(attempts.MOST_FAILURES):
        assert client.get("/api/v1/myself", headers=bearer("glean_a_b")).status_code == 401
    answer = client.get("/api/v1/myself", headers=bearer(right))
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= attempts.WINDOW_S
    assert services.attempts.wait_s("192.0.2.7") == 0
    with mock.patch("time.monotonic", return_value=1e9):
        assert services.attempts.wait_s("testclient") == 0


def test_the_audit_log_says_who_did_what(client: TestClient, admin: dict[str, str]) -> None:
    """The newest first, a page at a time."""
    for name in ("Ben", "Eve"):
        client.post("/api/v1/tokens", headers=admin, json={"name": name})
    page = client.get("/api/v1/audit-log?limit=1", headers=admin).json()["lines"]
    assert [(line["actor"], line["action"]) for line in page] == [
        ("somebody with admin", "token.create")
    ]
    rest = client.get(f"/api/v1/audit-log?before={page[0]['number']}", headers=admin)
    assert len(rest.json()["lines"]) == 1
