"""Bakeries invited and taken in, over HTTP: once, told why where not; no secret is kept."""

from __future__ import annotations

import base64
import logging
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from glean import __version__
from glean.privacy.invitation import read_invitation
from glean.privacy.key_log import KeyLog, KeyLogEntry
from glean.privacy.members import BakeryKeys
from glean.privacy.model_key import ModelKey
from glean.privacy.registration import write_registration
from glean.privacy.signing import fingerprint
from glean.service.accounts import attempts
from glean.service.accounts.scopes import Scope
from glean.service.app import create_app
from glean.service.services import Services, open_services
from glean.service.settings import ServiceSettings
from tests.service.conftest import token
from tests.service.federations import ADDRESS, keys_of

INVITATIONS, MEMBERS = "/api/v1/invitations", "/api/v1/members"


@pytest.fixture
def services(federation: Services) -> Services:
    """A service that bakeries reach."""
    return federation


def invited(client: TestClient, admin: dict[str, str], bakery: str, **told: Any) -> Any:
    """Make an invitation."""
    answer = client.post(INVITATIONS, headers=admin, json={"bakery": bakery, **told})
    assert answer.status_code == 201, answer.text
    return answer.json()


def joined(client: TestClient, link: str, keys: BakeryKeys) -> Any:
    """Show an invitation; the answer."""
    return client.post("/join", json=write_registration(read_invitation(link).secret, keys))


def states(client: TestClient, admin: dict[str, str]) -> dict[str, str]:
    found = client.get(MEMBERS, headers=admin).json()["members"]
    return {one["name"]: one["state"] for one in found}


def test_a_bakery_joins_by_its_invitation(
    client: TestClient, services: Services, admin: dict[str, str]
) -> None:
    """And gets what it has to know, which it can check."""
    made = invited(client, admin, "Rue Mouffetard", days=2)
    invitation = read_invitation(made["link"])
    assert invitation.address == ADDRESS
    assert made["command"] == f"glean join '{made['link']}' --sales my.csv"
    assert states(client, admin) == {"Rue Mouffetard": "waiting"}
    keys = keys_of("Rue Mouffetard")
    answer = joined(client, made["link"], keys)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["bakery"], told["federation"]) == ("Rue Mouffetard", "bakers.example")
    assert told["release"] == __version__
    key = ModelKey.of(told["model_key"].encode(), source="model-key.pub")
    log = KeyLog().extended(map(KeyLogEntry.read, told["key_log"]), key)
    assert [member.keys for member in log.members] == [keys.member.keys]
    (one,) = client.get(MEMBERS, headers=admin).json()["members"]
    assert (one["state"], one["invitation"]) == ("joined", None)
    assert one["fingerprint"] == fingerprint(keys.member.signing_key)
    assert services.members is not None
    assert services.members.joined_by_invitation("Rue Mouffetard")


def test_an_invitation_that_does_not_count_is_refused_in_words(
    client: TestClient, services: Services, admin: dict[str, str]
) -> None:
    """Used, withdrawn, expired or unknown; each by its status."""
    used = invited(client, admin, "Old Market")["link"]
    assert joined(client, used, keys_of("Old Market")).status_code == 201
    again = joined(client, used, keys_of("Old Market"))
    assert (again.status_code, "used already" in again.text) == (409, True)
    made = invited(client, admin, "Harbour")
    assert client.delete(f"{INVITATIONS}/{made['id']}", headers=admin).status_code == 204
    withdrawn = joined(client, made["link"], keys_of("Harbour"))
    assert (withdrawn.status_code, "withdrawn" in withdrawn.text) == (410, True)
    foreign = joined(client, f"https://{ADDRESS}/join#1.{'A' * 64}", keys_of("Harbour"))
    assert (foreign.status_code, "no such invitation" in foreign.text) == (404, True)
    expired = services.invitations.keep(
        "Hill", read_invitation(used).secret_hash[::-1], days=0, replaces_key=False, created_by=""
    )
    assert client.delete(f"{INVITATIONS}/{expired.id}", headers=admin).status_code == 409
    assert client.delete(f"{INVITATIONS}/none", headers=admin).status_code == 404
    listed = client.get(INVITATIONS, headers=admin).json()["invitations"]
    assert {one["bakery"]: one["state"] for one in listed} == {
        "Old Market": "used",
        "Harbour": "withdrawn",
        "Hill": "expired",
    }


def test_a_proof_that_does_not_fit_spends_nothing(
    client: TestClient, admin: dict[str, str]
) -> None:
    """Who has the link but not the keys that it names isn't let in; the bakery still is."""
    link = invited(client, admin, "Old Market")["link"]
    mine, theirs = keys_of("Old Market"), keys_of("Old Market")
    body = write_registration(read_invitation(link).secret, mine)
    forged = body | {"node_key": theirs.member.node_key}
    half: dict[str, str] = {}
    wrongs: list[Any] = [
        forged,
        body | {"secret": "AAAA"},
        body | {"node_proof": "?"},
        half,
        [],
    ]
    for wrong in wrongs:
        answer = client.post("/join", json=wrong)
        assert answer.status_code == 422, wrong
        assert answer.headers["content-type"] == "application/problem+json"
    large = client.post("/join", content=b" " * 20_000, headers={"Content-Type": "text/json"})
    assert (large.status_code, "16 KB" in large.text) == (413, True)
    assert joined(client, link, mine).status_code == 201


def test_keys_of_a_member_do_not_join_again(client: TestClient, admin: dict[str, str]) -> None:
    """Under no other name, nor once they were shut out; the invitation stays open."""
    keys = keys_of("Old Market")
    assert joined(client, invited(client, admin, "Old Market")["link"], keys).status_code == 201
    assert client.post(f"{MEMBERS}/Old%20Market/shut-out", headers=admin).status_code == 204
    link = invited(client, admin, "Harbour")["link"]
    assert joined(client, link, keys).status_code == 403
    assert states(client, admin) == {"Old Market": "shut_out", "Harbour": "waiting"}
    assert joined(client, link, keys_of("Harbour")).status_code == 201


def test_a_lost_key_is_replaced_by_an_invitation(
    client: TestClient, services: Services, admin: dict[str, str]
) -> None:
    """The log tells all members of it."""
    old, new = keys_of("Old Market"), keys_of("Old Market")
    assert joined(client, invited(client, admin, "Old Market")["link"], old).status_code == 201
    plain = client.post(INVITATIONS, headers=admin, json={"bakery": "Old Market"})
    assert (plain.status_code, "--replace" in plain.text) == (409, True)
    unknown = client.post(
        INVITATIONS, headers=admin, json={"bakery": "Harbour", "replaces_key": True}
    )
    assert unknown.status_code == 404
    link = invited(client, admin, "Old Market", replaces_key=True)["link"]
    assert states(client, admin) == {"Old Market": "joined"}
    assert joined(client, link, old).status_code == 403
    told = joined(client, link, new).json()
    assert [entry["event"] for entry in told["key_log"]] == ["joined", "replaced"]
    assert services.members is not None
    assert services.members.of_signing_key(new.member.signing_key) == "Old Market"
    assert services.members.of_signing_key(old.member.signing_key) is None


def test_members_are_shut_out_and_let_in(client: TestClient, admin: dict[str, str]) -> None:
    """Once each; nobody else is."""
    link = invited(client, admin, "Café Süd")["link"]
    assert joined(client, link, keys_of("Café Süd")).status_code == 201
    for change, status in (
        ("let-in", 404),
        ("shut-out", 204),
        ("shut-out", 409),
        ("let-in", 204),
        ("let-in", 404),
    ):
        answer = client.post(f"{MEMBERS}/Caf%C3%A9%20S%C3%BCd/{change}", headers=admin)
        assert answer.status_code == status, change
    assert client.post(f"{MEMBERS}/none/shut-out", headers=admin).status_code == 404


@pytest.mark.parametrize(
    "name",
    ["", " Old Market", "a/b", "..", "-", "x" * 81, "a\nb", "a\u202eb", "(all)"],
)
def test_a_name_that_the_federation_refuses_is_not_invited(
    client: TestClient, admin: dict[str, str], name: str
) -> None:
    """Control characters and those that turn text around least of all."""
    answer = client.post(INVITATIONS, headers=admin, json={"bakery": name})
    assert answer.status_code == 422, answer.text
    assert client.get(INVITATIONS, headers=admin).json() == {"invitations": []}


def test_names_that_look_alike_are_not_invited(client: TestClient, admin: dict[str, str]) -> None:
    """Neither as a member's nor as another invitation's; the same name again is a new link."""
    first = invited(client, admin, "Old Market")["link"]
    alike = client.post(INVITATIONS, headers=admin, json={"bakery": "old market"})
    assert (alike.status_code, "is there already" in alike.text) == (422, True)
    second = invited(client, admin, "Old Market")["link"]
    assert joined(client, first, keys_of("Old Market")).status_code == 410
    assert joined(client, second, keys_of("Old Market")).status_code == 201


def test_of_two_that_show_an_invitation_at_once_one_joins(
    client: TestClient, services: Services, admin: dict[str, str]
) -> None:
    """The other is told that it was used."""
    link = invited(client, admin, "Old Market")["link"]
    statuses: list[int] = []
    barrier = threading.Barrier(4)

    def join() -> None:
        keys = keys_of("Old Market")
        barrier.wait()
        statuses.append(joined(client, link, keys).status_code)

    threads = [threading.Thread(target=join) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(statuses) == {201: 1, 409: 3}
    assert services.members is not None
    assert len(services.members.log().entries) == 1


def test_an_address_may_not_try_for_long(client: TestClient, admin: dict[str, str]) -> None:
    """Not even with a right one then."""
    link = invited(client, admin, "Old Market")["link"]
    keys = keys_of("Old Market")
    for _ in range(attempts.MOST_FAILURES):
        foreign = f"https://{ADDRESS}/join#1.{'A' * 64}"
        assert joined(client, foreign, keys).status_code == 404
    answer = joined(client, link, keys)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= attempts.WINDOW_S


def test_the_secret_is_kept_nowhere(
    client: TestClient,
    services: Services,
    admin: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither in a log nor in a list nor in any file, before and after it was used."""
    caplog.set_level(logging.DEBUG)
    link = invited(client, admin, "Old Market")["link"]
    secret = read_invitation(link).secret
    assert joined(client, link, keys_of("Old Market")).status_code == 201
    listed = client.get(INVITATIONS, headers=admin).text
    audit = client.get("/api/v1/audit-log", headers=admin).text
    assert "Old Market" in listed
    assert "member.join" in audit
    fragment = link.partition("#")[2]
    encoded = base64.b64encode(secret).decode()
    forms = [fragment[2:], fragment[-21:], encoded, secret.hex(), secret.hex().upper()]
    for text in (listed, audit, caplog.text):
        assert not any(form in text for form in forms)
    services.database.close()
    files = [path for path in services.settings.home.rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        assert not any(form.encode() in content for form in [*forms]), path
        assert secret not in content, path


def test_what_is_told_once_is_not_cached(client: TestClient, admin: dict[str, str]) -> None:
    """Nor is any other answer of the API."""
    answer = client.post(INVITATIONS, headers=admin, json={"bakery": "Old Market"})
    assert answer.headers["cache-control"] == "no-store"


def test_each_route_asks_for_its_scope(client: TestClient, services: Services) -> None:
    """Members may be seen by who reads; all else is for who may do everything."""
    routes = [
        ("GET", INVITATIONS),
        ("POST", INVITATIONS),
        ("DELETE", f"{INVITATIONS}/none"),
        ("POST", f"{MEMBERS}/none/shut-out"),
        ("POST", f"{MEMBERS}/none/let-in"),
    ]
    for scope in Scope:
        headers = token(services, scope)
        assert client.get(MEMBERS, headers=headers).status_code == 200
        for method, path in routes:
            answer = client.request(method, path, headers=headers, json={"bakery": "a"})
            assert (answer.status_code == 403) == (scope is not Scope.ADMIN), (method, path)
    for method, path in [*routes, ("GET", MEMBERS)]:
        assert client.request(method, path).status_code == 401


def test_the_authority_is_for_everybody(client: TestClient, services: Services) -> None:
    """Its certificate, and not its key."""
    answer = client.get("/join/ca.crt")
    assert answer.status_code == 200
    assert services.members is not None
    assert answer.content == services.members.folder.authority.read_bytes()
    assert b"PRIVATE" not in answer.content
    assert answer.headers["x-glean-release"] == __version__


def test_without_a_federation_there_are_no_such_routes(results: Path) -> None:
    """A service for simulations invites nobody."""
    found = open_services(ServiceSettings(results=results))
    try:
        client = TestClient(create_app(found), raise_server_exceptions=False)
        headers = token(found, Scope.ADMIN)
        for path in (INVITATIONS, MEMBERS, "/join", "/join/ca.crt", "/members"):
            assert client.get(path, headers=headers).status_code == 404, path
        assert client.post("/join", json={}).status_code == 404
    finally:
        found.workers.close()
        found.database.close()
