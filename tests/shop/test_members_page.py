"""Members on the page: confirmed by the numbers that were shown, and what leaves, in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
from starlette.testclient import TestClient

from glean.errors import SettingsError
from glean.operations.joining.joined_home import JoinedHome, JoinFacts
from glean.operations.joining.trusted_members import KnownMember
from glean.shop.pages import members
from glean.shop.parts import Shop

FACTS = JoinFacts("Hansen", "North Sea", "192.0.2.9:8700", "0" * 64)
NUMBERS = "1111 2222 3333 4444 5555 6666 7777 8888"


@dataclass
class Federation:
    """Members as a home knows them, and whom its owner confirmed."""

    known: tuple[KnownMember, ...]
    confirmed: list[str]
    distrusted: list[str]


@pytest.fixture
def federation(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Federation:
    """A home that joined, with a new member and one whose key changed."""
    home = JoinedHome(shop.settings.home)
    home.note(FACTS)
    policy = {"privacy": "noise", "share-scores": "no", "trusted-members": f"{home.trusted}"}
    home.write_config(shop.settings.sales, "Hansen", policy)
    found = Federation(
        (
            KnownMember("Hansen", NUMBERS, "own"),
            KnownMember("Möller <Brot>", NUMBERS.replace("1", "9"), "new"),
            KnownMember("Petersen", NUMBERS.replace("2", "9"), "key_changed"),
            KnownMember("Quast", NUMBERS.replace("3", "9"), "confirmed"),
            KnownMember("Rother", NUMBERS.replace("4", "9"), "shut_out"),
        ),
        [],
        [],
    )
    monkeypatch.setattr(members, "known_members", lambda _home: found.known)

    def confirm(_home: Path, compared: dict[str, str]) -> None:
        shown = {member.name: member.fingerprint for member in found.known}
        for name, numbers in compared.items():
            if shown.get(name) != numbers:
                raise SettingsError(f"{name} has another key by now")
            found.confirmed.append(name)

    monkeypatch.setattr(members, "confirm_members", confirm)
    monkeypatch.setattr(
        members, "distrust_members", lambda _, names: found.distrusted.extend(names)
    )
    return found


def test_without_a_federation_nothing_leaves(client: TestClient) -> None:
    assert "nothing leaves this computer" in client.get("/members").text


@pytest.mark.usefixtures("federation")
def test_members_stand_with_their_numbers_and_the_policy_in_words(client: TestClient) -> None:
    """Confirming is offered where it means something, and the names are shown as they are."""
    text = client.get("/members").text
    assert "North Sea" in text
    assert "isn&#39;t at work" in text
    assert text.count('name="confirm"') == 2
    assert text.count('name="distrust"') == 1
    assert "<Brot>" not in text
    assert "Möller &lt;Brot&gt;" in text
    assert len(re.findall(r"<code>[\d ]{39}</code>", text)) == 5
    assert "It takes part in runs with noise only." in text
    assert "What stays here: the table" in text


def test_a_member_is_confirmed_and_that_taken_back(
    client: TestClient, federation: Federation
) -> None:
    new, quast = federation.known[1], federation.known[3]
    client.post("/members", data={"name": new.name, "fingerprint": new.fingerprint, "confirm": "1"})
    client.post(
        "/members", data={"name": "Quast", "fingerprint": quast.fingerprint, "distrust": "1"}
    )
    assert (federation.confirmed, federation.distrusted) == ([new.name], ["Quast"])


def test_a_key_that_came_meanwhile_is_not_confirmed(
    client: TestClient, federation: Federation
) -> None:
    """Nor a name that there isn't."""
    for name, numbers in (("Petersen", NUMBERS), ("nobody", NUMBERS)):
        client.post("/members", data={"name": name, "fingerprint": numbers, "confirm": "1"})
    assert federation.confirmed == []


@pytest.mark.usefixtures("federation")
def test_a_log_that_was_changed_is_told(client: TestClient) -> None:
    with mock.patch.object(members, "known_members", side_effect=SettingsError("key 3 is wrong")):
        text = client.get("/members").text
    assert "read just now" in text
    assert "key 3 is wrong" in text
