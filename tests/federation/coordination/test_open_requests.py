"""Requests that nobody waits for: each ends once, with a reply or with the reason for none."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from flwr.app import ConfigRecord, RecordDict
from hypothesis import given
from hypothesis import strategies as st

from glean.federation.coordination.open_requests import GONE
from tests.scripted_grid import ScriptedExchange, ScriptedGrid, scripted_exchange

KIND, LIMIT_S = "train.job", 100.0


def met(exchange: ScriptedExchange, grid: ScriptedGrid, *names: str) -> None:
    """Let bakeries come and register, at nodes from 2: 1 is the server's."""
    for node, name in enumerate(names, start=2):
        grid.start(node, name)
    exchange.clients.register(at_least=len(names))


def send(exchange: ScriptedExchange, *names: str) -> None:
    record = RecordDict({"task": ConfigRecord({"round": 1})})
    exchange.clients.open_requests.send(KIND, dict.fromkeys(names, record), round_number=1)


def look(exchange: ScriptedExchange) -> tuple[set[str], dict[str, str]]:
    found = exchange.clients.open_requests.look(1)
    return set(found.replies), found.lost


def test_replies_are_taken_as_they_come_and_others_are_asked_meanwhile(tmp_path: Path) -> None:
    """Who is slow holds up nobody, and its reply is taken when it is there."""
    grid = ScriptedGrid()
    with scripted_exchange(grid, tmp_path) as exchange:
        met(exchange, grid, "A", "B")
        grid.nodes[3].reply_s = 50.0
        send(exchange, "A", "B")
        assert look(exchange) == (set(), {})
        grid.sleep(2.0)
        assert look(exchange) == ({"A"}, {})
        record = RecordDict({"task": ConfigRecord({"round": 1})})
        assert set(exchange.clients.ask("train", {"A": record}, round_number=1)) == {"A"}
        assert look(exchange) == (set(), {})
        grid.sleep(60.0)
        assert look(exchange) == ({"B"}, {})
        assert look(exchange) == (set(), {})


def test_who_goes_is_lost_whether_or_not_the_superlink_says_so(tmp_path: Path) -> None:
    """Once; also where it comes back with another node, which knows nothing of it."""
    for reports_lost in (True, False):
        grid = ScriptedGrid(reports_lost=reports_lost)
        with scripted_exchange(grid, tmp_path / str(reports_lost)) as exchange:
            met(exchange, grid, "A", "B")
            grid.nodes[2].silent = grid.nodes[3].silent = True
            send(exchange, "A", "B")
            grid.leave(2)
            grid.sleep(1.5)
            lost = look(exchange)[1]
            grid.sleep(4.0)
            lost |= look(exchange)[1]
            assert lost == {"A": GONE}
            grid.leave(3)
            grid.start(4, "B")
            exchange.clients.gather(at_least=1, round_number=1)
            assert look(exchange) == (set(), {"B": GONE})
            assert look(exchange) == (set(), {})


def test_who_takes_too_long_is_missing_until_it_says_who_it_is(tmp_path: Path) -> None:
    """And what it answers then is no reply any more."""
    grid = ScriptedGrid()
    with scripted_exchange(grid, tmp_path, timeout_s=LIMIT_S) as exchange:
        met(exchange, grid, "A", "B")
        grid.nodes[3].reply_s = LIMIT_S + 20.0
        send(exchange, "B")
        grid.sleep(LIMIT_S)
        assert look(exchange) == (set(), {})
        grid.sleep(1.0)
        assert look(exchange) == (set(), {"B": "no reply to 'train.job' within 100 s"})
        assert exchange.clients.present == {"A"}
        grid.nodes[3].reply_s = 1.0
        grid.sleep(30.0)
        assert look(exchange) == (set(), {})
        grid.sleep(2.0)
        exchange.clients.gather(at_least=2, round_number=2)
        assert exchange.clients.present == {"A", "B"}


EVENTS = st.lists(
    st.tuples(
        st.integers(2, 5),
        st.sampled_from(["leave", "come", "fall silent", "speak"]),
        st.floats(0.1, 130.0),
    ),
    max_size=8,
)


@given(EVENTS, st.lists(st.floats(0.1, 150.0), min_size=4, max_size=4), st.booleans())
def test_each_ends_once_whatever_happens(
    script: list[tuple[int, str, float]], reply_s: list[float], reports_lost: bool
) -> None:
    """Soon after the deadline at the latest."""
    grid = ScriptedGrid(reports_lost=reports_lost)
    names = "ABCD"
    with tempfile.TemporaryDirectory() as folder, scripted_exchange(grid, Path(folder)) as exchange:
        met(exchange, grid, *names)
        for node, seconds in enumerate(reply_s, start=2):
            grid.nodes[node].reply_s = seconds

        def happens(node: int, what: str) -> None:
            grid.nodes[node].online = what != "leave" and (
                grid.nodes[node].online or what == "come"
            )
            if what in ("fall silent", "speak"):
                grid.nodes[node].silent = what == "fall silent"

        begun = grid.now
        for node, what, seconds in script:
            grid.at(begun + seconds, partial(happens, node, what))
        send(exchange, *names)
        ended: list[str] = []
        while grid.now < begun + LIMIT_S + 5.0:
            grid.sleep(0.7)
            replies, lost = look(exchange)
            ended += [*replies, *lost]
        assert sorted(ended) == sorted(names)
