"""What a bakery refuses by its owner's word, whatever the server says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from glean.errors import FederationError, RefusalError, SettingsError
from glean.federation.client.policy import ClientPolicy
from glean.federation.wire.sum_request import SCORES, SumRequest
from glean.node_settings import NodeSettings
from glean.privacy.cohort import Cohort
from glean.privacy.mask_keys import KeyPair
from glean.privacy.members import Member, new_keys, write_members
from glean.settings import ConfigValue, RunSettings
from tests.churn import stop_the_clock
from tests.federations import events
from tests.lying_server import deployed, refusals

HOME: dict[str, ConfigValue] = {"home": "/a/folder"}
NAMES = [f"bakery {k}" for k in range(5)]


def policy(run: Mapping[str, ConfigValue] | None = None, /, **node: ConfigValue) -> ClientPolicy:
    told = NodeSettings.from_config(
        {"sales": "/a/table", **{key.replace("_", "-"): value for key, value in node.items()}}
    )
    return ClientPolicy(told, RunSettings.from_config(run or {}), own_table=True)


def kind_of(refused: pytest.ExceptionInfo[RefusalError]) -> str:
    return refused.value.kind


@pytest.mark.parametrize(
    ("node", "run", "kind"),
    [
        ({"privacy": "sums"}, {"secure-sums": False}, "unmasked"),
        ({"privacy": "sums"}, {"leaf-values": "scaled"}, "unmasked"),
        ({"privacy": "sums"}, {"aggregation": "cyclic"}, "unmasked"),
        ({"privacy": "noise"}, {}, "a run without noise"),
        ({}, {"privacy": "noise"}, "noise without a home for its ledger"),
        (HOME | {"epsilon_total": 3.9}, {"privacy": "noise"}, "a run beyond epsilon-total"),
        (HOME, {"privacy": "noise", "epsilon": 6.0}, "a run beyond epsilon-total"),
        (HOME, {"privacy": "noise", "delta": 1e-2}, "a run beyond epsilon-total"),
        ({"share_scores": "no"}, {"share-scores": "yes"}, "scores in the clear"),
        ({"share_scores": "no"}, {"secure-sums": False}, "scores in the clear"),
        ({}, {"aggregation": "histogram"}, "a run that opens sums of few"),
        ({"privacy": "sums"}, {"aggregation": "histogram"}, "a run that opens sums of few"),
    ],
)
def test_a_run_against_the_policy_is_refused(
    node: dict[str, ConfigValue], run: dict[str, ConfigValue], kind: str
) -> None:
    """The text says which key was found, for the bakery's own log."""
    with pytest.raises(RefusalError, match="node config") as refused:
        policy(run, **node).check_run()
    assert kind_of(refused) == kind


def test_who_refuses_histogram_says_what_serves_instead() -> None:
    """For the bakery's own log, from which its owner may tell the operator."""
    with pytest.raises(RefusalError, match=r"it opens each bin .* aggregation='bagging', or with"):
        policy({"aggregation": "histogram"}).check_run()


@pytest.mark.parametrize(
    ("node", "run"),
    [
        ({}, {"secure-sums": False}),
        ({}, {"share-scores": "yes"}),
        ({"privacy": "sums"}, {}),
        ({"share_scores": "no"}, {}),
        ({"share_scores": "yes"}, {"share-scores": "yes"}),
        (HOME, {"privacy": "noise"}),
        (HOME | {"epsilon_total": 4}, {"privacy": "noise"}),
        (HOME | {"privacy": "noise", "epsilon_total": 8.0}, {"privacy": "noise", "epsilon": 8.0}),
    ],
)
def test_a_run_within_the_policy_is_joined(
    node: dict[str, ConfigValue], run: dict[str, ConfigValue]
) -> None:
    """Without a word of its owner a bakery goes by the settings that the run says openly."""
    policy(run, **node).check_run()


def test_a_server_is_held_to_the_settings_that_it_told() -> None:
    """No unmasked vector, update or score where the run's settings say otherwise."""
    strict = policy()
    for request, kind in (
        (SumRequest((SCORES,), (SCORES,)), "unmasked"),
        (SumRequest(with_scores=True), "scores in the clear"),
    ):
        with pytest.raises(RefusalError) as refused:
            strict.check_request(request, b"")
        assert kind_of(refused) == kind
    with pytest.raises(RefusalError, match="an update as it is"):
        strict.check_update()
    with pytest.raises(RefusalError, match="scores as they are"):
        strict.check_scores()
    with pytest.raises(RefusalError, match="structures"):
        policy({"aggregation": "fedavg"}).check_request(SumRequest(proposes=True), b"")
    open_run = policy({"secure-sums": False})
    open_run.check_request(SumRequest((SCORES,), (SCORES,), with_scores=True), b"")


@pytest.mark.parametrize(
    ("node", "floor"), [({}, 5), ({"min_contributors": 3}, 3), ({"min_contributors": 9}, 9)]
)
def test_the_floor_is_five_unless_its_owner_says_otherwise(
    node: dict[str, ConfigValue], floor: int
) -> None:
    """In a simulation there is none, unless it is set."""
    assert policy(**node).min_contributors == floor
    simulated = NodeSettings.from_config({"partition-id": 0})
    assert ClientPolicy(simulated, RunSettings(), own_table=False).min_contributors == 0


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("min-contributors", 2, "wanted 3 or more"),
        ("min-contributors", -1, "wanted 3 or more"),
        ("epsilon-total", "much", "wanted a number"),
        ("epsilon-total", True, "wanted a number"),
        ("epsilon-total", -1.0, "wanted a number above 0, at most 1000"),
        ("epsilon-total", float("nan"), "wanted a number above 0, at most 1000"),
        ("epsilon-total", float("inf"), "wanted a number above 0, at most 1000"),
        ("epsilon-total", 10**400, "wanted a number"),
        ("privacy", "off", "wanted one of '', 'sums', 'noise', 'dp-sgd', 'dp-fedavg'"),
        ("share-scores", "maybe", "wanted one of '', 'yes', 'no'"),
    ],
)
def test_a_policy_out_of_range_is_refused(key: str, value: ConfigValue, words: str) -> None:
    """By its key, with what is allowed."""
    with pytest.raises(SettingsError, match=f"node config {key}: found .*{words}"):
        NodeSettings.from_config({"sales": "/a/table", key: value})


def members(*names: str) -> tuple[Member, ...]:
    return tuple(new_keys(name).member for name in names)


def counted(trusted: str, listed: tuple[Member, ...], *, own: str = "bakery 0") -> int:
    keys = [KeyPair.new(member.bakery, epoch="e").advertisement for member in listed]
    cohort = Cohort.of(keys, epoch="e", seed=b"s")
    (found,) = policy(trusted_members=trusted).contributors(
        [cohort.everybody], cohort, listed, own=own
    )
    return found.bit_count()


def test_members_count_whose_names_were_confirmed(tmp_path: Path) -> None:
    """All of the list unless told; by name; by name and key; oneself always."""
    listed = members(*NAMES)
    assert counted("", listed) == 5
    assert counted("bakery 1, bakery 2, somebody else", listed) == 3
    assert counted("bakery 0,bakery 1", listed) == 2
    confirmed = tmp_path / "confirmed.json"
    confirmed.write_bytes(write_members([listed[1], listed[2], *members("bakery 3")]))
    assert counted(str(confirmed), listed) == 3
    with pytest.raises(SettingsError, match=r"node config trusted-members: .* can't be read"):
        counted(str(tmp_path / "none.json"), listed)


def test_four_invented_members_do_not_open_the_fifth(tmp_path: Path) -> None:
    """An operator who plays the other four gets nothing from a bakery that knows none of them."""
    found, grid = deployed(
        tmp_path, policy={"min_contributors": 5, "trusted_members": "bakery 0,a friend,another"}
    )
    with pytest.raises(FederationError, match="too few contributors"):
        found.run()
    assert refusals(found) == {"too few contributors"}
    assert not [reply for reply in grid.replies.values() if reply.vector]


def test_five_confirmed_members_learn_together(tmp_path: Path) -> None:
    """The floor of a deployment, and a list of names that its owner knows."""
    found, _ = deployed(
        tmp_path, policy={"min_contributors": 0, "trusted_members": ",".join(NAMES)}
    )
    assert found.run().last_round == 2
    assert not refusals(found)


def test_four_bakeries_are_too_few_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five is each bakery's own word: the run waits for one more, and names that it is missing."""
    stop_the_clock(monkeypatch)
    found, _ = deployed(tmp_path, bakeries=4, policy={"min_contributors": 0})
    with pytest.raises(FederationError, match=r"min-contributors wants 5 .*: 1 more are missing"):
        found.run()
    assert not refusals(found)


def test_one_that_wants_more_than_there_are_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others waited for it to have enough; its word doesn't stop them."""
    stop_the_clock(monkeypatch)
    found, _ = deployed(tmp_path, policy_of={"bakery 2": {"min_contributors": 7}})
    assert found.run().last_round == 2
    waiting = [e for e in events(found.folder) if e["event"] == "waiting_for_bakeries"]
    assert {(event["present"], event["wanted"]) for event in waiting} == {(5, 7)}
    ((_, name, reason),) = found.failures()
    assert (name, reason) == ("bakery 2", "its own min-contributors wants 7 in each sum; found 5")
    assert found.table("rounds.csv")["replies"].tolist() == [4, 4]


def test_a_bakery_that_refuses_the_run_is_turned_away_with_the_kind(tmp_path: Path) -> None:
    """The server learns that it is about masks; nobody waits for a name."""
    with pytest.raises(FederationError, match="the bakery refuses: unmasked"):
        deployed(tmp_path, policy={"privacy": "sums"}, secure_sums=False, round_timeout_s=1)
