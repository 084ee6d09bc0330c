"""Bakeries come, go and fall silent: who is there is asked, who isn't is named, nobody blocks."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from glean.errors import FederationError
from glean.federation.coordination.client_registry import ClientRegistry
from tests.scripted_grid import ScriptedGrid, scripted_exchange


def village_of(*names: str, outspoken: bool = True) -> ScriptedGrid:
    """Node 11 is the first of the names, node 12 the second, and so on."""
    village = ScriptedGrid(reports_lost=outspoken)
    for number, name in enumerate(names, start=11):
        village.add(number, name)
    return village


@pytest.mark.parametrize("outspoken", [True, False])
def test_a_node_that_is_killed_is_missed_as_soon_as_that_is_known(
    tmp_path: Path, *, outspoken: bool
) -> None:
    """Whether the SuperLink says so or only doesn't list it any more: in seconds, not in 100."""
    village = village_of("Anna", "Bruno", outspoken=outspoken)
    with scripted_exchange(village, tmp_path) as talking_to:
        talking_to.clients.register(at_least=2)
        village.nodes[12].reply_s = 50.0
        killed_at = village.now + 10.0
        village.at(killed_at, partial(village.leave, 12))
        assert talking_to.ask_all(1) == {"Anna"}
        assert killed_at < village.now < killed_at + 5.0
        assert talking_to.clients.present == {"Anna"}
        ((number, name, seconds),) = talking_to.details_of("bakery_missing", "bakery", "seconds")
        assert (number, name) == (1, "Bruno")
        assert seconds == pytest.approx(10.0, abs=3.0)
        reason = "its node is gone: ended, switched off or without a network"
        assert talking_to.details_of("bakery_failed", "bakery", "reason") == [(1, "Bruno", reason)]


def test_a_reply_that_was_on_its_way_still_counts(tmp_path: Path) -> None:
    """The node has gone, its answer comes a second later."""
    village = village_of("Anna", "Bruno", outspoken=False)
    with scripted_exchange(village, tmp_path) as talking_to:
        talking_to.clients.register(at_least=2)
        village.nodes[12].reply_s = 6.0
        village.at(village.now + 5.0, partial(village.leave, 12))
        village.at(village.now + 6.5, partial(village.come, 12))
        assert talking_to.ask_all(1) == {"Anna", "Bruno"}


@pytest.mark.parametrize("number", [12, 77])
def test_who_comes_back_is_asked_again(number: int, tmp_path: Path) -> None:
    """By the same node, or by a new one of that name: it is told for how long it was away."""
    village = village_of("Anna", "Bruno")
    with scripted_exchange(village, tmp_path) as talking_to:
        clients = talking_to.clients
        clients.register(at_least=2)
        village.leave(12)
        assert clients.gather(at_least=1, round_number=1) == {}
        village.sleep(40.0)
        village.add(number, "Bruno")
        assert list(clients.gather(at_least=1, round_number=2)) == ["Bruno"]
        assert talking_to.ask_all(2) == {"Anna", "Bruno"}
        ((at, name, seconds),) = talking_to.details_of("bakery_returned", "bakery", "seconds")
        assert (at, name) == (2, "Bruno")
        assert seconds == pytest.approx(42.0, abs=3.0)
        assert talking_to.details_of("bakery_joined") == []


def test_an_impostor_doesn_t_keep_out_the_node_that_had_the_name(tmp_path: Path) -> None:
    """Both claim it in the same moment: the one that had it is let in, the other is named."""
    village = village_of("Anna", "Bruno")
    with scripted_exchange(village, tmp_path) as talking_to:
        clients = talking_to.clients
        clients.register(at_least=2)
        village.leave(12)
        assert clients.gather(at_least=1, round_number=1) == {}
        village.add(11 + 66, "Bruno")
        village.come(12)
        assert list(clients.gather(at_least=2, round_number=2)) == ["Bruno"]
        assert talking_to.ask_all(2) == {"Anna", "Bruno"}
        ((number, who, reason),) = talking_to.details_of("bakery_failed", "bakery", "reason")
        assert (number, who) == (2, "node 77")
        assert reason.startswith("Bruno is another node")


def test_who_joins_late_is_introduced_once(tmp_path: Path) -> None:
    """Seen between two rounds it is let in before the next; known ones aren't asked anew."""
    village = village_of("Anna", "Bruno")
    with scripted_exchange(village, tmp_path) as talking_to:
        clients = talking_to.clients
        assert list(clients.register(at_least=2)) == ["Anna", "Bruno"]
        assert clients.gather(at_least=2, round_number=1) == {}
        village.add(13, "Cleo", note="9 trading days", trains=False)
        (cleo,) = clients.gather(at_least=2, round_number=2).values()
        assert (cleo.bakery, cleo.trains) == ("Cleo", False)
        assert talking_to.details_of("bakery_joined", "bakery") == [(2, "Cleo")]
        assert clients.gather(at_least=2, round_number=3) == {}
        assert village.asked == [("query", 11), ("query", 12), ("query", 13)]


def test_who_comes_during_a_round_is_greeted_during_it(tmp_path: Path) -> None:
    """The next round doesn't have to wait for its first word."""
    village = village_of("Anna")
    with scripted_exchange(village, tmp_path) as talking_to:
        talking_to.clients.register(at_least=1)
        village.nodes[11].reply_s = 20.0
        village.at(village.now + 5.0, partial(village.start, 12, "Bruno"))
        talking_to.ask_all(1)
        begun = village.now
        assert list(talking_to.clients.gather(at_least=1, round_number=2)) == ["Bruno"]
        assert village.now == begun


def test_a_node_that_does_not_say_who_it_is_holds_a_round_up_once(tmp_path: Path) -> None:
    """For half a minute; it may still come in whenever it finds its tongue."""
    village = village_of("Anna", "Bruno")
    with scripted_exchange(village, tmp_path) as talking_to:
        clients = talking_to.clients
        clients.register(at_least=2)
        late = village.add(13, "Cleo")
        late.silent = True
        begun = village.now
        clients.gather(at_least=2, round_number=1)
        assert village.now - begun == pytest.approx(30.0, abs=1.0)
        clients.gather(at_least=2, round_number=2)
        assert village.now - begun == pytest.approx(30.0, abs=1.0)
        told = talking_to.details_of("bakery_failed", "bakery", "reason")
        assert told == [(1, "node 13", "no introduction within 30 s")]
        late.silent = False
        assert list(clients.gather(at_least=2, round_number=3)) == ["Cleo"]


def test_a_late_reply_does_no_harm_and_its_bakery_is_back(tmp_path: Path) -> None:
    """The deadline passes, the answer comes after it: it isn't taken for a later one's."""
    village = village_of("Anna", "Bruno")
    with scripted_exchange(village, tmp_path) as talking_to:
        clients = talking_to.clients
        clients.register(at_least=2)
        village.nodes[12].reply_s = 103.0
        begun = village.now
        assert talking_to.ask_all(1) == {"Anna"}
        assert village.now - begun == pytest.approx(100.0, abs=1.0)
        assert talking_to.details_of("bakery_failed", "bakery", "reason") == [
            (1, "Bruno", "no reply to 'train' within 100 s")
        ]
        assert clients.present == {"Anna"}
        village.nodes[12].reply_s = 1.0
        assert list(clients.gather(at_least=2, round_number=2)) == ["Bruno"]
        assert talking_to.ask_all(2) == {"Anna", "Bruno"}
        assert len(talking_to.details_of("bakery_failed")) == 1


def test_below_the_quorum_the_run_waits_and_says_for_whom(tmp_path: Path) -> None:
    """Until the bakery is back; meanwhile every half minute who is missing, and for how long."""
    village = village_of("Anna", "Bruno")
    with scripted_exchange(village, tmp_path) as talking_to:
        talking_to.clients.register(at_least=2)
        village.leave(12)
        village.at(village.now + 70.0, partial(village.come, 12))
        talking_to.clients.gather(at_least=2, round_number=3)
        assert village.now == pytest.approx(73.0, abs=3.0)
        told = talking_to.details_of("waiting_for_bakeries", "present", "wanted")
        assert told == [(3, 1, 2)] * 3
        waits = [m["Bruno"] for (_, m) in talking_to.details_of("waiting_for_bakeries", "missing")]
        assert waits == pytest.approx([0.0, 30.0, 60.0], abs=2.0)


def test_below_the_quorum_for_too_long_the_run_fails_and_says_why(tmp_path: Path) -> None:
    """After the deadline: how many there are and were wanted, who is missing and for how long."""
    village = village_of("Anna", "Bruno", "Cleo")
    with scripted_exchange(village, tmp_path) as talking_to:
        talking_to.clients.register(at_least=3)
        village.sleep(20.0)
        village.leave(12)
        village.leave(13)
        begun = village.now
        with pytest.raises(FederationError) as caught:
            talking_to.clients.gather(at_least=3, round_number=2)
        assert str(caught.value) == (
            "1 bakeries can take part after 100 s; min-available-bakeries wants 3; missing: "
            "Bruno (last heard of 120 s ago), Cleo (last heard of 120 s ago)"
        )
        assert village.now - begun == pytest.approx(100.0, abs=1.0)


def test_in_a_deployment_a_refused_node_is_given_time_for_another_try(tmp_path: Path) -> None:
    """Its first word is wrong, its code another's; ended and started anew it takes part."""
    village = village_of("Anna")
    village.add(12, "Bruno", code="of old")
    village.at(20.0, partial(village.leave, 12))
    village.at(40.0, partial(village.start, 12, "Bruno"))
    with scripted_exchange(village, tmp_path) as talking_to:
        assert list(talking_to.clients.register(at_least=2)) == ["Anna", "Bruno"]
        assert village.now == pytest.approx(41.0, abs=1.0)
        ((_, who, why),) = talking_to.details_of("bakery_failed", "bakery", "reason")
        assert who == "node 12"
        assert "other code (of old)" in why
        assert [node for _, node in village.asked] == [11, 12, 12]


def test_a_spare_node_is_not_asked_again(tmp_path: Path) -> None:
    """It plays no bakery: once is enough, and it is no failure."""
    village = village_of("Anna", "")
    with scripted_exchange(village, tmp_path) as talking_to:
        talking_to.clients.register(at_least=1)
        for number in (1, 2, 3):
            talking_to.clients.gather(at_least=1, round_number=number)
        assert village.asked == [("query", 11), ("query", 12)]
        assert talking_to.clients.registered == ("Anna",)
        assert talking_to.details_of("bakery_failed") == []


def test_a_name_that_is_taken_is_refused_while_its_node_is_there(tmp_path: Path) -> None:
    """The first keeps it; once that has gone, the other has to come anew to get it."""
    village = village_of("Anna", "Bruno")
    with scripted_exchange(village, tmp_path) as talking_to:
        clients = talking_to.clients
        clients.register(at_least=2)
        village.add(13, "Bruno")
        assert clients.gather(at_least=2, round_number=1) == {}
        ((_, who, why),) = talking_to.details_of("bakery_failed", "bakery", "reason")
        assert (who, why[:43]) == ("Bruno", "another node that is connected has this nam")
        village.leave(12)
        assert clients.gather(at_least=1, round_number=2) == {}
        village.leave(13)
        clients.gather(at_least=1, round_number=3)
        village.come(13)
        assert list(clients.gather(at_least=2, round_number=4)) == ["Bruno"]
        assert talking_to.ask_all(4) == {"Anna", "Bruno"}
        assert sorted(village.asked[-2:]) == [("train", 11), ("train", 13)]


def test_of_two_that_come_together_with_one_name_neither_is_let_in(tmp_path: Path) -> None:
    """Which of them is the right one can't be known, not even of a bakery known before."""
    village = village_of("Anna", "Bruno")
    with scripted_exchange(village, tmp_path) as talking_to:
        clients = talking_to.clients
        clients.register(at_least=2)
        village.leave(12)
        clients.gather(at_least=1, round_number=1)
        village.add(13, "Bruno")
        village.add(14, "Bruno")
        assert clients.gather(at_least=1, round_number=2) == {}
        ((_, who, why),) = talking_to.details_of("bakery_failed", "bakery", "reason")
        assert (who, why[:27]) == ("Bruno", "2 nodes have this name: giv")
        assert clients.present == {"Anna"}


def test_a_node_that_was_turned_away_is_asked_again_after_a_while() -> None:
    """What was wrong may be mended; a node that plays no bakery is asked once."""
    now = [0.0]
    presence = ClientRegistry(lambda: now[0])
    presence.update([11, 12])
    presence.back_off(11, for_s=60.0)
    presence.back_off(12)
    presence.update([11, 12])
    assert presence.unregistered() == []
    now[0] = 61.0
    presence.update([11, 12])
    assert presence.unregistered() == [11]
