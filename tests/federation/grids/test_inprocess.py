"""The grid in this process: Flower's interface, Flower's rules, no Ray."""

from __future__ import annotations

import ast
import datetime as dt
import sys
from pathlib import Path
from unittest import mock

import pytest
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid

from glean.federation.grids import inprocess
from glean.federation.grids.client_host import CLIENT_APP_RAISED
from glean.federation.grids.engine import engine_of, nodes_from_start, started_by_flower
from glean.federation.grids.flower_internals import (
    lent_message,
    like_message,
    number_message,
    reply_message,
)
from glean.federation.grids.inprocess import InProcessGrid, as_server
from glean.federation.grids.run_grid import RunGrid
from tests.federation.grids.grid_calls import CONTENT, answer, ask, counting_app, grid_of, value_of

MESSAGES = sys.modules[Message.__module__]
"""Where Flower makes messages, and looks at its clock."""

PRIVATE = ("flwr.super", "flwr.common", "flwr.proto", "flwr.app.", "flwr.client.", "flwr.server.")


def test_every_member_that_flower_wants_is_there() -> None:
    """A newer Flower that asks more of a grid fails here and not in a run."""
    wanted = Grid.__abstractmethods__
    assert wanted
    assert not InProcessGrid.__abstractmethods__
    assert wanted <= {*vars(RunGrid), *vars(InProcessGrid)}


def test_private_parts_of_flower_are_imported_in_few_places_only() -> None:
    """Whoever changes the version of Flower has these files to look at, each with a test."""
    package = Path(inprocess.__file__).parents[2]
    guarded = {"flower_fleet.py", "flower_objects.py", "message_codec.py", "node_registry.py"}
    found = {
        path.name if path.name in guarded else (path.name, node.module)
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(PRIVATE)
    }
    assert found == {
        *guarded,
        ("flower_internals.py", "flwr.supercore.inflatable.inflatable_utils"),
        ("flower_internals.py", "flwr.supercore.run"),
        ("flower_internals.py", "flwr.supercore.task_identity"),
    }


def test_messages_made_alike_are_what_flower_makes() -> None:
    """To another node, lent, and in reply; none changes with another."""
    content, other = RecordDict({"a": ConfigRecord()}), RecordDict({"b": ConfigRecord()})
    with as_server(grid_of(counting_app())):
        first = Message(content, 2, "train.sum", group_id="7")
        wanted = Message(other, 3, "train.sum", group_id="7")
    found = like_message(first, other, 3)
    wanted.metadata.created_at = found.metadata.created_at
    assert vars(found) == vars(wanted)
    assert type(found.metadata) is type(wanted.metadata)
    lent = lent_message(found, content)
    assert (lent.content, found.content) == (content, other)
    assert (first.metadata.dst_node_id, first.content) == (2, content)
    assert number_message(found) != number_message(first)
    found.metadata.src_task_id, found.metadata.dst_task_id = 4, 5
    with mock.patch("time.time", return_value=first.metadata.created_at + 3.5) as clock:
        quick = reply_message(content, found)
        moment = dt.datetime.fromtimestamp(clock.return_value, dt.UTC)
        with mock.patch.object(MESSAGES, "now", return_value=moment):
            usual = Message(content, reply_to=found)
    assert vars(quick.metadata) == pytest.approx(vars(usual.metadata))
    assert (quick.content, quick.has_error(), found.content) == (content, False, other)


def test_each_node_is_asked_with_its_own_context() -> None:
    """Node config, run config, node and run id are those of the node that answers."""
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        return answer(
            message,
            partition=str(context.node_config["partition-id"]),
            seed=str(context.run_config["seed"]),
            node=context.node_id,
            run=context.run_id,
        )

    replies = ask(grid_of(app))
    assert [value_of(reply, "partition") for reply in replies] == ["0", "1", "2"]
    assert {value_of(reply, "seed") for reply in replies} == {"7"}
    assert {value_of(reply, "run") for reply in replies} == {5}
    senders = [reply.metadata.src_node_id for reply in replies]
    assert [value_of(reply, "node") for reply in replies] == senders
    assert len(set(senders)) == 3


def test_a_reply_says_which_message_it_answers() -> None:
    """Pushed messages get ids of their own; replies carry them, and come once, one a pull."""
    app = ClientApp()

    @app.query()
    def query(message: Message, _context: Context) -> Message:
        return answer(message, value=2)

    grid = grid_of(app)
    with as_server(grid):
        nodes = list(grid.get_node_ids())
        messages = [grid.create_message(CONTENT, "query", node, "1") for node in nodes]
        ids = list(grid.push_messages(messages))
    assert len(set(ids)) == 3
    replies = [reply for _ in ids for reply in grid.pull_messages(ids[1:])]
    assert [reply.metadata.reply_to_message_id for reply in replies] == ids[1:]
    assert [reply.metadata.group_id for reply in replies] == ["1", "1"]
    assert len(grid.pull_messages(ids)) == 1
    assert grid.pull_messages(ids) == []


def test_what_a_client_writes_into_its_message_stays_with_it() -> None:
    """One record goes to all nodes; what one writes into it the next doesn't see."""
    app = ClientApp()

    @app.query()
    def query(message: Message, _context: Context) -> Message:
        seen = value_of(message)
        message.content.config_records["c"]["value"] = 99
        return answer(message, value=str(seen))

    assert [value_of(reply) for reply in ask(grid_of(app))] == ["1", "1", "1"]


def test_what_a_client_keeps_is_not_what_it_sent() -> None:
    """A reply that holds a record of the state is a copy: its receiver can't change the state."""
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        kept = context.state.setdefault("c", ConfigRecord({"value": [1]}))
        return Message(RecordDict({"c": kept}), reply_to=message)

    grid = grid_of(app, nodes=1)
    for _ in range(2):
        (reply,) = ask(grid)
        received = value_of(reply)
        assert received == [1]
        assert isinstance(received, list)
        received.append(2)


def test_state_stays_with_its_node_from_call_to_call() -> None:
    """Each node counts its own calls."""
    grid = grid_of(counting_app(), nodes=2)
    ask(grid)
    second = ask(grid)[1]
    assert value_of(second) == 2


def test_a_failing_client_s_change_of_state_is_dropped() -> None:
    """As in Flower: asked again, the node knows nothing of the call in which it raised."""
    grid = grid_of(counting_app(), nodes=2)
    first, failed, again = ask(grid)[0], ask(grid)[0], ask(grid)[0]
    assert value_of(first) == 1
    assert failed.has_error()
    assert again.error.reason == failed.error.reason


def test_an_exception_becomes_an_error_reply() -> None:
    """The others answer all the same; the reply has Flower's code and the exception's words."""
    grid = grid_of(counting_app(), nodes=2)
    ask(grid)
    failed, well = ask(grid)
    assert failed.error.code == CLIENT_APP_RAISED
    assert "ValueError: no flour" in str(failed.error.reason)
    assert failed.metadata.src_node_id == next(iter(grid.get_node_ids()))
    assert well.has_content()


def test_a_question_that_no_handler_takes_is_an_error_reply() -> None:
    """A ClientApp without the handler answers with an error, as through Flower."""
    assert all(reply.has_error() for reply in ask(grid_of(counting_app()), kind="train"))


def test_replies_after_the_timeout_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who answers after the limit is late; who comes after that isn't asked any more."""
    clock = [0.0]
    monkeypatch.setattr("glean.federation.grids.inprocess.time.monotonic", lambda: clock[0])
    asked: list[int] = []
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        asked.append(context.node_id)
        clock[0] += 4.0
        return answer(message, value=1)

    grid = grid_of(app, nodes=5)
    nodes = list(grid.get_node_ids())
    replies = ask(grid, timeout=10.0)
    assert [reply.metadata.src_node_id for reply in replies] == nodes[:2]
    assert asked == nodes[:3]
    assert len(ask(grid, timeout=None)) == 5


class Said(InProcessGrid):
    engine = "pigeons"
    nodes_from_start = False


class Unsaid(InProcessGrid):
    nodes_from_start = None


def test_a_grid_says_which_engine_it_is_and_who_is_there() -> None:
    """Only of one that doesn't say so it is guessed by what its clients read."""
    app = counting_app()
    here, said, unsaid = (kind(app, [], {}, run_id=1) for kind in (InProcessGrid, Said, Unsaid))
    flower = mock.Mock(spec=Grid)
    assert [engine_of(grid) for grid in (here, said, flower)] == ["inprocess", "pigeons", "ray"]
    assert [started_by_flower(grid) for grid in (here, said, flower)] == [False, False, True]
    for grid, simulation, deployment in (
        (here, True, True),
        (said, False, False),
        (unsaid, True, False),
        (flower, True, False),
    ):
        assert nodes_from_start(grid, own_tables=False) == simulation
        assert nodes_from_start(grid, own_tables=True) == deployment
