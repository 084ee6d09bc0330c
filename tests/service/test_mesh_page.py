"""The page of a mesh, and the same by REST: who is in it, who reaches whom, who relays for whom."""

from __future__ import annotations

import json
import os
import re
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from glean.mesh.mesh_home import MeshHome
from glean.mesh.topology import PeerStanding, PeerState, Relay, Topology
from glean.runs.process_tree import this_process
from glean.service.accounts.scopes import Scope
from glean.service.app import create_app
from glean.service.services import Services, open_services
from glean.service.settings import ServiceSettings
from glean.service.web.mesh_graph import MOST_RELAY_LINES, mesh_graph
from tests.mesh.made_homes import founded_home, joined_home
from tests.service.conftest import token
from tests.service.test_pages import sign_in

NAMES = ("Bäckerei Süd", "Harbour", "Old Market", "Rue Mouffetard", "Mill <b>Lane</b>")


def made_standing(name: str, state: PeerState, via: str = "") -> PeerStanding:
    return PeerStanding(
        name, "aaaa bbbb", state, via, ("10.0.0.1:7700",), 1_780_000_000.0, NAMES[2], 1_770_000_000
    )


def made_topology() -> Topology:
    """The market hears the south and the harbour; the south hears the Rue too."""
    south, harbour, market, rue, mill = NAMES
    return Topology(
        "ab" * 32, "Bread & butter", market, time.time(),
        (
            made_standing(south, "neighbour"), made_standing(harbour, "neighbour"),
            made_standing(mill, "away"), made_standing(market, "own"),
            made_standing(rue, "relayed", south),
        ),
        ((south, market), (south, rue), (harbour, market)),
        (Relay(south, market, rue, seen=True), Relay(market, south, harbour)),
        ("Gone",), ("membership: join of 'Eve': forged: <it> claims",),
    )  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> MeshHome:
    """The home of a peer that has invited another one and never ran."""
    found = founded_home(tmp_path / "peer", NAMES[2], "Bread & butter")
    joined_home(tmp_path / "other", found, NAMES[3])
    return found


@pytest.fixture
def services(results: Path, home: MeshHome) -> Iterator[Services]:
    """A service that shows a mesh."""
    found = open_services(ServiceSettings(results=results, mesh=home.path))
    yield found
    found.workers.close()
    found.database.close()


@pytest.fixture
def running(home: MeshHome) -> MeshHome:
    """As the peer's process leaves it while it runs."""
    made_topology().write(home.topology)
    (home.path / ".peer.lock").write_text(json.dumps(this_process()), encoding="utf-8")
    assert home.runs
    return home


def shown(client: TestClient, language: str = "en") -> str:
    answer = client.get("/mesh", headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.usefixtures("running")
def test_the_drawing_shows_who_relays_for_whom(client: TestClient, services: Services) -> None:
    """Each peer, link and way through a relay; those that relay have a shape of their own."""
    sign_in(client, services, Scope.READ)
    page = shown(client)
    found = re.search(r"<svg viewBox=.*?</svg>", page, re.DOTALL)
    assert found is not None
    drawing = ET.fromstring(found[0])  # noqa: S314 # our own
    space = "{http://www.w3.org/2000/svg}"
    groups = {
        re.sub(r": .*", "", one.findtext(f".//{space}title", "")): one
        for one in drawing.findall(f"{space}g")
    }
    assert set(groups) == set(NAMES)
    squares = {name for name, one in groups.items() if one.find(f".//{space}rect") is not None}
    assert squares == {NAMES[0], NAMES[2]}
    assert len(drawing.findall(f"{space}line")) == 3
    told = [one.findtext(f"{space}title", "") for one in drawing.findall(f"{space}path")]
    south, harbour, market, rue, _ = NAMES
    assert told == [
        f"{south} relays between {market} and {rue}",
        f"{market} relays between {south} and {harbour}",
    ]
    assert drawing.get("role") == "img"


@pytest.mark.usefixtures("running")
def test_tables_say_the_same_as_the_drawing(client: TestClient, services: Services) -> None:
    """For those who can't see it; with what was refused, and nothing of a name as HTML."""
    sign_in(client, services, Scope.READ)
    page = shown(client)
    assert "<b>Lane" not in page
    text = unescape(re.sub(r"<[^>]+>", " ", page.partition("</figure>")[2]))
    rows = [" ".join(row.split()) for row in re.sub(r" {5,}", "\n", text).splitlines()]
    text = " ".join(" ".join(rows).split())
    for words in (
        "Rue Mouffetard through a relay through Bäckerei Süd",
        "Bäckerei Süd Old Market Rue Mouffetard has passed messages on",
        "Old Market Bäckerei Süd Harbour would",
        "Have left: Gone",
        "forged: <it> claims",
        "10.0.0.1:7700",
    ):
        assert words in text, text
    assert "doesn't run" not in unescape(page)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("de", ("Wer wen erreicht", "Mitglieder", "über ein Relais")),
        ("fr", ("Qui joint qui", "Membres", "par un relais")),
    ],
)
@pytest.mark.usefixtures("running")
def test_the_page_is_said_in_each_language(
    client: TestClient, services: Services, language: str, words: tuple[str, ...]
) -> None:
    """All of it but what was refused, which is for whoever looks after it."""
    sign_in(client, services, Scope.READ)
    page = unescape(shown(client, language))
    for one in words:
        assert one in page


def test_a_peer_that_doesn_t_run_is_shown_as_it_was(client: TestClient, services: Services) -> None:
    """By what its home has of the members; and that is said."""
    sign_in(client, services, Scope.READ)
    page = unescape(shown(client))
    assert "doesn't run here now" in page
    assert "Rue Mouffetard" in page
    assert "Nobody is connected with anybody" in page


@pytest.mark.usefixtures("running")
def test_programs_get_the_same(client: TestClient, services: Services) -> None:
    """With times as in the rest of the API."""
    answer = client.get("/api/v1/mesh", headers=token(services, Scope.READ))
    assert answer.status_code == 200
    found = answer.json()
    assert (found["title"], found["name"], found["runs"]) == ("Bread & butter", NAMES[2], True)
    assert {one["name"]: (one["state"], one["via"]) for one in found["peers"]}[NAMES[3]] == (
        "relayed", NAMES[0],
    )  # fmt: skip
    assert found["relays"][0] == {
        "relay": NAMES[0], "one": NAMES[2], "other": NAMES[3], "seen": True,
    }  # fmt: skip
    assert found["peers"][0]["last_heard"] == "2026-05-28T20:26:40+00:00"
    assert client.get("/api/v1/mesh").status_code == 401


def test_without_a_home_there_is_no_such_page(results: Path) -> None:
    """Nor a link to it, nor a route."""
    found = open_services(ServiceSettings(results=results))
    try:
        client = TestClient(create_app(found), raise_server_exceptions=False)
        sign_in(client, found, Scope.READ)
        assert client.get("/mesh").status_code == 404
        assert client.get("/api/v1/mesh", headers=token(found, Scope.READ)).status_code == 404
        assert 'href="/mesh"' not in client.get("/").text
    finally:
        found.workers.close()
        found.database.close()


def test_a_home_that_can_t_be_read_is_said_to_be(
    client: TestClient, services: Services, home: MeshHome
) -> None:
    """On the page and by REST, not as a fault of the service."""
    sign_in(client, services, Scope.READ)
    os.truncate(home.membership, 100)
    assert client.get("/mesh").status_code == 422
    answer = client.get("/api/v1/mesh", headers=token(services, Scope.READ))
    assert answer.status_code == 422
    assert "can't be read" in answer.json()["detail"]


@pytest.mark.parametrize("count", [1, 2, 3, 8, 40, 200])
def test_a_drawing_holds_any_number_of_peers(count: int) -> None:
    """None outside it, none on another one; the lines end where there is room."""
    names = [f"Bakery with a long name {number:03d}" for number in range(count)]
    peers = tuple(
        made_standing(name, "own" if number == 1 else "away") for number, name in enumerate(names)
    )
    pairs = [(one, other) for one in names for other in names if one < other][:500]
    relays = tuple(
        Relay(names[-1], one, other) for one, other in pairs if names[-1] not in (one, other)
    )
    graph = mesh_graph(Topology("ab", "t", names[0], 0.0, peers, tuple(pairs), relays))
    assert len(graph.peers) == count
    places = {(round(peer.x), round(peer.y)) for peer in graph.peers}
    assert len(places) == count
    for peer in graph.peers:
        assert 20 < peer.x < graph.width - 20
        assert 10 < peer.label_y < graph.height - 5
        assert len(peer.label) <= 22
    assert len(graph.relays) <= MOST_RELAY_LINES
