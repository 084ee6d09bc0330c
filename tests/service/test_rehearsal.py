"""The rehearsal on its page and by REST: started, followed, ended, by whoever may run."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from glean.operations.rehearsal import detached_rehearsal
from glean.service.accounts.scopes import Scope
from glean.service.services import Services
from tests.processes import wait_until
from tests.service.conftest import token
from tests.service.test_pages import send, sign_in

PATH = "/api/v1/rehearsal"


@pytest.fixture(autouse=True)
def _made_up(monkeypatch: pytest.MonkeyPatch, services: Services) -> Any:
    """Not the real one, which takes a minute."""
    worker = "tests.operations.rehearsal.made_up_worker"
    monkeypatch.setattr(detached_rehearsal, "_WORKER", worker)
    yield
    services.rehearsal.end()


def test_a_rehearsal_is_started_and_ended_on_the_page(
    client: TestClient, services: Services
) -> None:
    """With what happens in the reader's language, without a script too."""
    sign_in(client, services)
    assert 'action="/rehearsal/end"' not in client.get("/rehearsal").text
    assert send(client, "/rehearsal", bakeries="3", rounds="1").status_code == 200
    wait_until(lambda: len(services.rehearsal.state().steps) == 2, "something happens")
    page = unescape(client.get("/rehearsal", headers={"Accept-Language": "fr"}).text)
    assert "Le service démarre" in page
    assert 'action="/rehearsal/end"' in page
    live = client.get("/rehearsal/live")
    assert "glean_x" in live.text
    assert live.headers["x-run-ended"] == "no"
    assert send(client, "/rehearsal").status_code == 409
    send(client, "/rehearsal/end")
    assert client.get("/rehearsal/live").headers["x-run-ended"] == "yes"
    assert send(client, "/rehearsal/end").status_code == 404
    assert send(client, "/rehearsal", bakeries="2").status_code == 422


def test_a_rehearsal_is_for_who_may_run(client: TestClient, services: Services) -> None:
    """Its token opens a service that starts runs on this machine."""
    for scope in Scope:
        headers, allowed = token(services, scope), scope is not Scope.READ
        answer = client.get(PATH, headers=headers)
        assert (answer.status_code == 200) == allowed
        started = client.post(PATH, headers=headers, json={"bakeries": 3})
        assert (started.status_code == 202) == allowed
        ended = client.delete(PATH, headers=headers)
        assert (ended.status_code == 200) == allowed
    sign_in(client, services, Scope.READ)
    assert client.get("/rehearsal").status_code == 403
