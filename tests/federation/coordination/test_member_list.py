"""A server with the list of members: names are proved, a bad signature costs only its sender."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from flwr.app import Message

from glean.errors import CertificateError, FederationError, SettingsError
from glean.federation.coordination.member_list import VARIABLE, MemberList
from glean.federation.coordination.secagg_server import ADVERTISE_KEYS
from glean.federation.grids.inprocess import InProcessGrid
from glean.federation.wire.sum_messages import KeyReply
from glean.privacy.mask_keys import KeyAdvertisement
from glean.privacy.members import BakeryKeys, new_keys, write_members
from glean.privacy.signing import claim
from glean.settings import ConfigValue
from tests.federations import federation_of, member_nodes, small_settings
from tests.lying_server import REFIT
from tests.tables import random_table

BAD, NAMES = "bakery 1", [f"bakery {k}" for k in range(4)]


class Forging(InProcessGrid):
    """One bakery's key for sums comes with a signature that is wrong."""

    def pull_messages(self, message_ids: Iterable[str]) -> list[Message]:
        """Receive, and spoil that one."""
        received = super().pull_messages(message_ids)
        for message in received:
            if message.metadata.message_type == ADVERTISE_KEYS:
                reply = KeyReply.from_record(message.content)
                key = KeyAdvertisement.from_bytes(reply.advertisement)
                if key.bakery == BAD:
                    forged = replace(key, signature=bytes(64)).to_bytes()
                    message.content = replace(reply, advertisement=forged).to_record()
        return received


@pytest.fixture
def nodes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, ConfigValue]]:
    """Four bakeries with keys, and a server that knows them."""
    tables = {}
    for name, rows in random_table(bakeries=4, days=80).rows.groupby("bakery"):
        tables[str(name)] = tmp_path / f"{name}.csv"
        rows.to_csv(tables[str(name)], index=False)
    found = member_nodes(tmp_path / "keys", tables)
    monkeypatch.setenv(VARIABLE, str(found[0]["members"]))
    return found


def test_a_bad_signature_costs_only_its_sender(
    nodes: list[dict[str, ConfigValue]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named and left out; without the list all others refuse, and the run ends."""
    settings = small_settings("", **REFIT, min_contributors=3)
    found = federation_of(tmp_path / "run", settings, nodes=nodes, grid_type=Forging)
    assert found.run().last_round == 2
    ((number, name, reason),) = found.failures()
    assert (number, name) == (1, BAD)
    assert "its signature doesn't fit" in reason
    assert found.table("rounds.csv")["replies"].tolist() == [3, 3]
    monkeypatch.delenv(VARIABLE)
    blind = federation_of(tmp_path / "blind", settings, nodes=nodes, grid_type=Forging)
    with pytest.raises(FederationError, match="secure sums were lost in a row"):
        blind.run()


def test_of_two_nodes_the_one_that_proves_the_name_is_let_in(
    nodes: list[dict[str, ConfigValue]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member with a key of its own, or none, can't keep another out; nor can a stranger join."""
    other = tmp_path / "other.pem"
    other.write_bytes(new_keys("another").signing_key)
    impostors: list[dict[str, ConfigValue]] = [
        {**nodes[1], "signing-key": str(nodes[2]["signing-key"])},
        {**nodes[1], "signing-key": ""},
        {**nodes[0], "bakery": "a stranger", "signing-key": str(other)},
    ]
    settings = small_settings("", **REFIT, min_contributors=3)
    found = federation_of(tmp_path / "run", settings, nodes=[*impostors, *nodes])
    assert list(found.bakeries) == NAMES
    assert found.clients.present == {*NAMES}
    reasons = [reason for _, _, reason in found.failures()]
    assert sum("doesn't prove that this is its name" in reason for reason in reasons) == 2
    assert sum("'a stranger': it isn't in the server's members.json" in r for r in reasons) == 1
    monkeypatch.delenv(VARIABLE)
    blind = federation_of(tmp_path / "blind", settings, nodes=[impostors[0], *nodes])
    assert BAD not in blind.bakeries


def test_a_list_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    """Before a run begins."""
    assert MemberList.of({}) is None
    with pytest.raises(SettingsError, match=f"{VARIABLE}: .*none.json can't be read"):
        MemberList.of({VARIABLE: str(tmp_path / "none.json")})
    (tmp_path / "some.json").write_text("[]")
    with pytest.raises(CertificateError, match="isn't a list of members"):
        MemberList.of({VARIABLE: str(tmp_path / "some.json")})


def test_who_joins_or_has_new_keys_while_a_run_goes_on_is_let_in(
    tmp_path: Path,
) -> None:
    """The list is read again for a name that isn't known and a proof that doesn't fit."""
    path, challenge = tmp_path / "members.json", "00"
    first, second, new = new_keys("A"), new_keys("B"), new_keys("A")

    def proof(keys: BakeryKeys) -> str:
        return claim(keys.signing_key, keys.member.bakery, challenge)

    path.write_bytes(write_members([first.member]))
    found = MemberList.of({VARIABLE: str(path)})
    assert found is not None
    assert found.objection("A", proof(first), challenge) == ""
    assert "isn't in the server's members.json" in found.objection("B", proof(second), challenge)
    assert "doesn't prove" in found.objection("A", proof(new), challenge)
    path.write_bytes(write_members([new.member, second.member]))
    assert found.objection("B", proof(second), challenge) == ""
    assert found.objection("A", proof(new), challenge) == ""
    assert "doesn't prove" in found.objection("A", proof(first), challenge)
