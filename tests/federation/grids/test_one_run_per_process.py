"""One run at a time has this process's identity, and gives it back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from flwr.app import Context, Message
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.supercore.task_identity import TaskIdentity

from glean.errors import FederationError
from glean.federation.grids.inprocess import InProcessGrid, as_server, run_inprocess
from tests.federation.grids.grid_calls import CONTENT, answer, counting_app, grid_of, value_of


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
