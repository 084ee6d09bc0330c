"""The loop of a bakery's node, with a server without a network."""

from __future__ import annotations

from pathlib import Path

import pytest
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from glean.federation.node import release_check
from glean.federation.node.fleet import Head, Reply, RunFacts
from glean.federation.node.lasting_node import KILLED
from glean.federation.node.pace import LONGEST_S, SHORTEST_S, Pace
from glean.federation.node.server_errors import (
    ForeignServerError,
    RunEndedError,
    UnreachableError,
)
from tests.federation.grids.grid_calls import answer, counting_app, value_of
from tests.federation.node.made_up_fleet import NODE, RUN, MadeUpFleet, memory_in, run_node


def test_messages_are_answered_by_one_client_of_the_run(tmp_path: Path) -> None:
    """Its state lasts from message to message; what it raises is a reply, and it goes on."""
    fleet = MadeUpFleet()
    for _ in range(3):
        fleet.ask()
    run_node(fleet, counting_app(), tmp_path)
    first, second, third = fleet.replies
    assert value_of(first) == 1
    assert second.has_error()
    assert "no flour" in (second.error.reason or "")
    # A call that failed leaves no trace in the state, as with Flower's own node: it is the second.
    assert third.has_error()
    assert fleet.calls.count("run_facts") == 1
    assert [reply.metadata.src_node_id for reply in fleet.replies] == [NODE] * 3
    assert fleet.calls[-2:] == ["deactivate", "close"]


def test_the_run_s_word_beats_the_installed_defaults(tmp_path: Path) -> None:
    """And the bakery's own config is what the app sees of the node."""
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        return answer(
            message,
            seed=str(context.run_config["seed"]),
            rounds=str(context.run_config["rounds"]),
            bakery=str(context.node_config["bakery"]),
        )

    fleet = MadeUpFleet()
    fleet.ask()
    run_node(fleet, app, tmp_path)
    (reply,) = fleet.replies
    assert [value_of(reply, key) for key in ("seed", "rounds", "bakery")] == ["3", "2", "Hafen"]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (RunFacts(RUN, "glean/glean", "0.9.0", {}), "the server has 0.9.0, this node 0.1.0"),
        (RunFacts(RUN, "evil/glean", "0.1.0", {}), "a run of another app ('evil/glean')"),
    ],
)
def test_a_run_of_other_code_is_refused_before_anything_of_it_is_fetched(
    facts: RunFacts, words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The server is told why; the bakery's log says how to get what is wanted."""
    fleet = MadeUpFleet()
    fleet.facts = facts
    fleet.ask()
    fleet.ask()
    run_node(fleet, counting_app(), tmp_path)
    assert "fetch" not in fleet.calls
    assert len(fleet.replies) == 2
    for reply in fleet.replies:
        assert words in (reply.error.reason or "")
    if facts.release != "0.1.0":
        assert "pip install -c constraints.txt 'glean-0.9.0-py3-none-any.whl[shop]'" in caplog.text


def test_files_that_changed_since_the_start_are_not_mixed_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that would import half of a new version refuses until it is started anew."""
    monkeypatch.setattr(release_check, "installed_fingerprint", lambda: "another")
    fleet = MadeUpFleet()
    fleet.ask()
    run_node(fleet, counting_app(), tmp_path)
    assert release_check.INSTALLED_ANEW in (fleet.replies[0].error.reason or "")


def test_a_server_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """Longer each time; a message in hand is still answered, and its reply sent once it is back."""
    fleet = MadeUpFleet()
    gone = UnreachableError("nobody answers")
    fleet.fail("activate", gone, gone)
    fleet.fail("fetch", gone)
    fleet.fail("send", gone)
    fleet.ask()
    pauses = run_node(fleet, counting_app(), tmp_path, looks=5)
    assert pauses[:4] == [1.0, 2.0, 1.0, 1.0]
    (reply,) = fleet.replies
    assert value_of(reply) == 1


def test_a_stranger_in_the_server_s_place_ends_the_start_only(tmp_path: Path) -> None:
    """A wrong certificate is said at once; one that appears later may be the shop's network."""
    fleet = MadeUpFleet()
    fleet.fail("activate", ForeignServerError("isn't the server"))
    with pytest.raises(ForeignServerError):
        run_node(fleet, counting_app(), tmp_path)
    fleet.fail("pull", ForeignServerError("isn't the server"))
    fleet.ask()
    run_node(fleet, counting_app(), tmp_path)
    assert value_of(fleet.replies[-1]) == 1


def test_what_was_in_hand_at_a_kill_is_answered_with_an_error(tmp_path: Path) -> None:
    """The server hands a message out once: without a word it would wait for the round's time."""
    fleet = MadeUpFleet()
    fleet.ask()
    head = fleet.pull(NODE)
    assert head is not None
    memory_in(tmp_path).take(head)
    run_node(fleet, counting_app(), tmp_path)
    (reply,) = fleet.replies
    assert reply.error.reason == KILLED
    assert memory_in(tmp_path).in_hand(NODE) is None


def test_a_reply_that_a_kill_cut_off_is_sent_again(tmp_path: Path) -> None:
    """As a repetition, of which the server may have a part; before any new message."""
    fleet = MadeUpFleet()
    left = Reply(NODE, RUN, b"\xff", b"tree", {"a": b"1", "b": b"\x00"})
    memory_in(tmp_path).keep_reply(left)
    assert memory_in(tmp_path).in_hand(NODE) == left
    fleet.ask()
    run_node(fleet, counting_app(), tmp_path)
    assert fleet.again == [True, False]
    assert fleet.calls.index("send") < fleet.calls.index("pull")
    assert memory_in(tmp_path).in_hand(NODE) is None


def test_a_reply_is_noted_before_the_server_hears_of_it(tmp_path: Path) -> None:
    """A kill while it is sent leaves the reply, and not the message, which has been answered."""
    fleet = MadeUpFleet()
    fleet.ask()
    fleet.fail("send", KeyboardInterrupt(), UnreachableError("gone"))
    run_node(fleet, counting_app(), tmp_path)
    assert isinstance(memory_in(tmp_path).in_hand(NODE), Reply)


def test_a_message_of_another_node_is_left_alone(tmp_path: Path) -> None:
    """A home that served another key before says nothing to this one's server."""
    memory_in(tmp_path).take(Head(NODE + 1, RUN, b"x"))
    fleet = MadeUpFleet()
    run_node(fleet, counting_app(), tmp_path)
    assert not fleet.replies


def test_an_interrupted_node_says_what_it_leaves(tmp_path: Path) -> None:
    """The message in its hand gets an error, so that the round needn't wait, and it signs off."""
    app = ClientApp()

    @app.query()
    def query(_message: Message, _context: Context) -> Message:
        raise KeyboardInterrupt

    fleet = MadeUpFleet()
    fleet.ask()
    run_node(fleet, app, tmp_path)
    (reply,) = fleet.replies
    assert reply.error.reason == KILLED
    assert fleet.calls[-2:] == ["deactivate", "close"]


def test_after_a_kill_a_node_is_let_in_by_its_number(tmp_path: Path) -> None:
    """The server takes it for connected for a while; another server's number doesn't count."""
    memory_in(tmp_path).keep_number(NODE)
    fleet = MadeUpFleet()
    fleet.admits = False
    fleet.ask()
    run_node(fleet, counting_app(), tmp_path)
    assert len(fleet.replies) == 1
    assert memory_in(tmp_path, server="elsewhere:443").number is None
    assert memory_in(tmp_path, key="another").number is None


def test_a_stranger_is_not_let_in(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is pulled, and the log says what may be wrong."""
    fleet = MadeUpFleet()
    fleet.admits = False
    run_node(fleet, counting_app(), tmp_path)
    assert "pull" not in fleet.calls
    assert "its key isn't registered" in caplog.text


def test_each_run_opens_the_data_anew(tmp_path: Path) -> None:
    """A new run is a new client; one that has ended is forgotten."""
    opened: list[str] = []
    fleet = MadeUpFleet()
    fleet.ask(run_id=1)
    fleet.ask(run_id=1)
    fleet.ask(run_id=2)
    run_node(fleet, counting_app(), tmp_path, forget=lambda: opened.append("anew"))
    assert opened == ["anew", "anew"]
    assert [value_of(reply) for reply in (fleet.replies[0], fleet.replies[2])] == [1, 1]


def test_the_reply_of_a_run_that_has_ended_is_dropped(tmp_path: Path) -> None:
    """And the node goes on with the next one."""
    fleet = MadeUpFleet()
    fleet.fail("send", RunEndedError("not running"))
    fleet.ask(run_id=1)
    fleet.ask(run_id=2)
    run_node(fleet, counting_app(), tmp_path)
    (reply,) = fleet.replies
    assert reply.metadata.run_id == 2
    assert memory_in(tmp_path).in_hand(NODE) is None


def test_a_full_disk_stops_no_node(tmp_path: Path) -> None:
    """What it would keep there is for a kill only."""
    fleet = MadeUpFleet()
    fleet.ask()
    home = tmp_path / "home"
    home.mkdir()
    (home / "message-in-hand.json").mkdir()
    (home / "node.json").mkdir()
    run_node(fleet, counting_app(), home)
    assert value_of(fleet.replies[0]) == 1


def test_a_node_looks_often_while_a_run_goes_on() -> None:
    """Within a tenth of the time that the last exchange was ago, between 0.1 and 3 s."""
    pace = Pace()
    assert pace.pause_s(0.0) == pace.pause_s(1.0) == SHORTEST_S
    assert pace.pause_s(12.0) == pytest.approx(1.2)
    assert pace.pause_s(1e6) == LONGEST_S


def test_a_node_does_not_look_before_a_message_can_be_there() -> None:
    """It goes by the quickest of the last three, and follows a run that gets faster."""
    pace = Pace()
    for gap in (0.5, 0.6, 30.0):
        pace.found(gap)
    assert pace.pause_s(0.0) == pytest.approx(0.4)
    assert pace.pause_s(0.4) == SHORTEST_S
    for _ in range(3):
        pace.found(pace.pause_s(0.0))
    assert pace.pause_s(0.0) < 0.4
    for _ in range(3):
        pace.found(60.0)
    assert pace.pause_s(0.0) == 1.0


def test_what_a_damaged_note_says_is_not_believed(tmp_path: Path) -> None:
    """Whatever stands in the file, the node starts."""
    memory = memory_in(tmp_path)
    texts = ("", "[]", "{", '{"node": 7}', '{"node": 7, "run": "x", "content": "!"}')
    for text in (*texts, '{"node": 7, "run": 1, "content": "", "tree": "", "objects": []}'):
        (tmp_path / "message-in-hand.json").write_text(text)
        assert memory.in_hand(NODE) is None, text


def test_the_note_is_for_its_owner_alone(tmp_path: Path) -> None:
    """It may hold a part of a sum that hasn't left yet."""
    memory_in(tmp_path).keep_reply(Reply(NODE, RUN, b"h", b"t", {"a": b"1"}))
    assert (tmp_path / "message-in-hand.json").stat().st_mode & 0o077 == 0
