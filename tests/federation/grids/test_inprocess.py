"""The grid in this process: Flower's interface, Flower's rules, no Ray."""

from __future__ import annotations

import ast
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Context,
    Message,
    MetricRecord,
    RecordDict,
)
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg, FedXgbBagging
from flwr.supercore.task_identity import TaskIdentity

from glean.errors import FederationError
from glean.federation.grids import inprocess
from glean.federation.grids.client_host import CLIENT_APP_RAISED
from glean.federation.grids.engine import engine_of, nodes_from_start, started_by_flower
from glean.federation.grids.inprocess import InProcessGrid, as_server, run_inprocess

CONTENT = RecordDict({"c": ConfigRecord({"value": 1})})


def grid_of(app: ClientApp, *, nodes: int = 3) -> InProcessGrid:
    return InProcessGrid(app, [{"partition-id": k} for k in range(nodes)], {"seed": 7}, run_id=5)


def ask(grid: InProcessGrid, *, timeout: float | None = None, kind: str = "query") -> list[Message]:
    """Send every node the same record, as Flower's own strategies do."""
    content = RecordDict({"c": ConfigRecord({"value": 1})})
    with as_server(grid):
        messages = [Message(content, node, kind) for node in grid.get_node_ids()]
        return list(grid.send_and_receive(messages, timeout=timeout))


def value_of(message: Message, name: str = "value") -> object:
    return message.content.config_records["c"][name]


def answer(message: Message, **facts: int | str) -> Message:
    return Message(RecordDict({"c": ConfigRecord(dict(facts))}), reply_to=message)


def test_every_member_that_flower_wants_is_there() -> None:
    """A newer Flower that asks more of a grid fails here and not in a run."""
    wanted = Grid.__abstractmethods__
    assert wanted
    assert not InProcessGrid.__abstractmethods__
    assert wanted <= set(vars(InProcessGrid))


def test_private_parts_of_flower_are_imported_in_one_place_only() -> None:
    """Whoever changes the version of Flower has one file to look at."""
    package = Path(inprocess.__file__).parents[2]
    found = {
        (path.name, node.module)
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("flwr.super")
    }
    assert found == {
        ("flower_internals.py", "flwr.supercore.run"),
        ("flower_internals.py", "flwr.supercore.task_identity"),
    }


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


def counting_app() -> ClientApp:
    """Counts its calls in its node's state; raises at every second one of node 0."""
    app = ClientApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        state = context.state
        if "n" not in state:
            state["n"] = ConfigRecord({"calls": 0})
        calls = int(str(state.config_records["n"]["calls"])) + 1
        state.config_records["n"]["calls"] = calls
        if calls == 2 and context.node_config["partition-id"] == 0:
            raise ValueError("no flour")
        return answer(message, value=calls)

    return app


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


def test_the_identity_is_given_back_afterwards() -> None:
    """Messages can be made inside `as_server`, with the run's id, and not outside."""
    grid = grid_of(counting_app())
    before = (TaskIdentity._run_id, TaskIdentity._node_id, TaskIdentity._task_id)
    with as_server(grid):
        message = Message(CONTENT, 2, "query")
        assert (message.metadata.run_id, message.metadata.src_node_id) == (5, 1)
        list(grid.send_and_receive([message]))
        assert (TaskIdentity.run_id, TaskIdentity.node_id) == (5, 1)
    assert (TaskIdentity._run_id, TaskIdentity._node_id, TaskIdentity._task_id) == before


def run_of(run_id: int, then: Callable[[], None]) -> tuple[ServerApp, InProcessGrid]:
    """A run whose server does something and then asks its one client for its run's id."""
    app, server = ClientApp(), ServerApp()

    @app.query()
    def query(message: Message, context: Context) -> Message:
        return answer(message, run=context.run_id)

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        then()
        message = Message(CONTENT, next(iter(grid.get_node_ids())), "query")
        assert message.metadata.run_id == context.run_id == run_id
        (reply,) = grid.send_and_receive([message])
        assert value_of(reply, "run") == run_id

    return server, InProcessGrid(app, [{}], {}, run_id=run_id)


def refused(run_id: int) -> str:
    with pytest.raises(FederationError) as caught:
        run_inprocess(*run_of(run_id, lambda: None), {})
    return str(caught.value)


@pytest.mark.parametrize("fails", [False, True])
def test_a_second_run_in_the_process_is_refused_while_the_first_goes_on(*, fails: bool) -> None:
    """Flower's identity is one for a process; after the end, or failure, of one the next begins."""
    begun, may_end = threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        assert may_end.wait(10)
        if fails:
            raise LookupError("no flour")

    with ThreadPoolExecutor(1) as beside:
        first = beside.submit(run_inprocess, *run_of(1, wait), {})
        assert begun.wait(10)
        said = refused(2)
        grid = run_of(3, lambda: None)[1]
        with pytest.raises(FederationError, match="run 1 at work in this process"), as_server(grid):
            raise AssertionError("a second server was let in")
        may_end.set()
        if fails:
            with pytest.raises(LookupError):
                first.result()
        else:
            first.result()
    assert "found run 1 at work in this process; wanted no other beside run 2" in said
    assert "Start it as a process of its own" in said
    run_inprocess(*run_of(2, lambda: None), {})


def test_the_same_run_may_come_in_again() -> None:
    """From another thread too, as that of a client does; another run only once all have left."""
    server, grid = run_of(1, lambda: None)
    with as_server(grid):
        with as_server(grid):
            refused(2)
        with ThreadPoolExecutor(1) as beside:
            beside.submit(run_inprocess, server, grid, {}).result()
        refused(2)
    run_inprocess(*run_of(2, lambda: None), {})


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


def test_a_server_app_that_raises_raises_here() -> None:
    """`run_inprocess` hands on what the ServerApp raises, and the identity is given back."""
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        raise LookupError(f"{len(list(grid.get_node_ids()))} nodes, {context.run_config['seed']}")

    before = TaskIdentity._run_id
    with pytest.raises(LookupError, match="3 nodes, 9"):
        run_inprocess(server, grid_of(counting_app()), {"seed": 9})
    assert TaskIdentity._run_id == before


@pytest.fixture
def quiet_flower() -> Iterator[None]:
    """Flower's strategies log every round."""
    logger = logging.getLogger("flwr")
    level = logger.level
    logger.setLevel(logging.ERROR)
    yield
    logger.setLevel(level)


@pytest.mark.usefixtures("quiet_flower")
def test_flower_s_own_fedavg_runs_unchanged() -> None:
    """Nodes step halfway to their own number each round; the stock strategy averages them."""
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        before = message.content.array_records["arrays"]["w"].numpy()
        goal = float(str(context.node_config["partition-id"]))
        arrays = ArrayRecord({"w": Array(before + (goal - before) / 2)})
        metrics = MetricRecord({"num-examples": 1})
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    @app.evaluate()
    def evaluate(message: Message, _context: Context) -> Message:
        value = message.content.array_records["arrays"]["w"].numpy()[0]
        metrics = MetricRecord({"num-examples": 1, "value": float(value)})
        return Message(RecordDict({"metrics": metrics}), reply_to=message)

    grid = grid_of(app)
    start = ArrayRecord({"w": Array(np.array([9.0]))})
    begun = time.monotonic()
    with as_server(grid):
        result = FedAvg(min_available_nodes=3).start(grid, start, num_rounds=2)
    assert time.monotonic() - begun < 5.0, "the stock strategy shouldn't wait for anything"
    assert result.arrays["w"].numpy()[0] == pytest.approx(1 + (9 - 1) / 4)
    assert result.evaluate_metrics_clientapp[2]["value"] == pytest.approx(3.0)


@pytest.mark.usefixtures("quiet_flower")
def test_flower_s_own_xgboost_bagging_runs_unchanged() -> None:
    """Each node grows a tree a round on its own rows; the stock strategy keeps them all."""
    xgboost = pytest.importorskip("xgboost")
    app = ClientApp()

    @app.train()
    def train(message: Message, context: Context) -> Message:
        before = message.content.array_records["arrays"]["0"].numpy().tobytes()
        rng = np.random.default_rng(int(str(context.node_config["partition-id"])))
        x = rng.random((50, 2))
        rows = xgboost.DMatrix(x, label=x.sum(axis=1), nthread=1)
        held = xgboost.Booster(model_file=bytearray(before)) if before else None
        parameters = {"base_score": 0.5, "nthread": 1, "max_depth": 2}
        grown = xgboost.train(parameters, rows, num_boost_round=1, xgb_model=held)
        tree = grown[grown.num_boosted_rounds() - 1 :].save_raw("json")
        arrays = ArrayRecord([np.frombuffer(tree, dtype=np.uint8)])
        metrics = MetricRecord({"num-examples": 50})
        return Message(RecordDict({"arrays": arrays, "metrics": metrics}), reply_to=message)

    grid = grid_of(app)
    start = ArrayRecord([np.frombuffer(b"", dtype=np.uint8)])
    strategy = FedXgbBagging(min_available_nodes=3, fraction_evaluate=0.0)
    with as_server(grid):
        result = strategy.start(grid, start, num_rounds=2)
    model = xgboost.Booster()
    model.load_model(bytearray(result.arrays["0"].numpy().tobytes()))
    assert len(model.get_dump()) == 6
