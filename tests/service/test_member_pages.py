"""The page of members without a browser: who sees what, invitations shown once, and forms."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from glean.privacy.invitation import read_invitation
from glean.privacy.registration import write_registration
from glean.privacy.signing import fingerprint
from glean.service.accounts.scopes import Scope
from glean.service.services import Services
from tests.service.federations import keys_of
from tests.service.test_pages import csrf_of, sign_in

LINK = re.compile(r"https://[^\s<]+/join#1\.[\w-]+")


@pytest.fixture
def services(federation: Services) -> Services:
    """A service that bakeries reach."""
    return federation


def send(client: TestClient, path: str, **fields: str) -> Any:
    return client.post(path, data={"csrf": csrf_of(client)} | fields)


def shown(client: TestClient, language: str = "en") -> str:
    answer = client.get("/members", headers={"Accept-Language": language})
    assert answer.status_code == 200
    return unescape(answer.text)


def invite(client: TestClient, bakery: str, **fields: str) -> str:
    """Invite by the form; the link that is shown."""
    answer = send(client, "/members/invite", bakery=bakery, **fields)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "<svg" in answer.text
    found = LINK.search(unescape(answer.text))
    assert found is not None
    return found[0]


def test_the_page_leads_from_an_invitation_to_a_member(
    client: TestClient, services: Services
) -> None:
    """The link is there once; then the key's fingerprint; then it is shut out and let in again."""
    sign_in(client, services)
    page = shown(client)
    assert "Nobody yet." in page
    assert "The SuperLink is starting." in page  # no thread starts it in a test
    link = invite(client, "Rue Mouffetard", days="3")
    page = shown(client)
    assert LINK.search(page) is None
    assert "1 invited" in page
    keys = keys_of("Rue Mouffetard")
    body = write_registration(read_invitation(link).secret, keys)
    assert client.post("/join", json=body).status_code == 201
    page = shown(client)
    assert "1 joined" in page
    assert fingerprint(keys.member.signing_key) in page
    assert send(client, "/members/Rue%20Mouffetard/shut-out").history[0].status_code == 303
    page = shown(client)
    assert "1 shut out" in page
    assert "Shut out</button>" not in page
    send(client, "/members/Rue%20Mouffetard/let-in")
    assert "1 joined" in shown(client)
    assert "gives this member a new key" in unescape(
        send(client, "/members/invite", bakery="Rue Mouffetard", replaces_key="1").text
    )
    assert "a new key is awaited" in shown(client)


def test_an_invitation_is_withdrawn_on_the_page(client: TestClient, services: Services) -> None:
    """By its button."""
    sign_in(client, services)
    invite(client, "Harbour")
    found = re.search(r"/members/invitations/\w+/withdraw", shown(client))
    assert found is not None
    send(client, found[0])
    assert "Nobody yet." in shown(client)


def test_what_can_not_be_is_told_on_a_page(client: TestClient, services: Services) -> None:
    """With the reason, as a page."""
    sign_in(client, services)
    invite(client, "Harbour")
    alike = send(client, "/members/invite", bakery="harbour")
    assert alike.status_code == 422
    assert "is there already" in alike.text
    assert send(client, "/members/none/shut-out").status_code == 404
    assert send(client, "/members/invite", bakery="Hill", days="0").status_code == 422
    assert client.post("/members/invite", data={"bakery": "Hill"}).status_code == 403


def test_a_reader_is_offered_nothing_to_change(client: TestClient, services: Services) -> None:
    """But sees who is there."""
    sign_in(client, services)
    invite(client, "Harbour")
    sign_in(client, services, Scope.READ)
    page = shown(client)
    assert "Harbour" in page
    assert page.count("<form") == 2  # to sign out, and the language
    assert send(client, "/members/invite", bakery="Hill").status_code == 403
    client.post("/logout", data={"csrf": csrf_of(client)})
    assert client.get("/members", follow_redirects=False).status_code == 303


def test_a_name_is_shown_and_not_obeyed(client: TestClient, services: Services) -> None:
    """Whatever a bakery is called."""
    sign_in(client, services)
    answer = send(client, "/members/invite", bakery="<b>Hill</b>&'x")
    assert answer.status_code == 422, "a slash is part of a path"
    invite(client, "<b>Hill&'x")
    assert "<b>" not in client.get("/members").text


def test_the_page_speaks_three_languages(client: TestClient, services: Services) -> None:
    """By what the browser asks for."""
    sign_in(client, services)
    assert "Wer zur Föderation gehört" in shown(client, "de")
    assert "Qui fait partie" in shown(client, "fr")


def test_the_invited_are_told_what_to_type(client: TestClient) -> None:
    """Without signing in; the page itself holds no invitation and loads nothing from elsewhere."""
    answer = client.get("/join")
    assert answer.status_code == 200
    assert "glean join" in answer.text
    assert "bakers.example" in answer.text
    assert not re.search(r'(?:src|href|action)="(?!/)', answer.text.replace('href="#main"', ""))
    assert len(answer.content) < 10_000


def test_only_a_federation_s_service_has_the_page_in_its_menu(
    client: TestClient, services: Services
) -> None:
    """Others have no members."""
    sign_in(client, services)
    assert 'href="/members"' in client.get("/").text
