"""A run's ServerApp at the peer that coordinates it: begun, gone on with, given up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from flwr.app import Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

from glean import server_app
from glean.errors import FederationError
from glean.federation.grids.run_announcement import RunAnnouncement
from glean.federation.grids.turns import TurnLock
from glean.mesh.runs.run_errors import LeaseLostError, LocalFailureError
from glean.mesh.runs.run_plan import RunPlan
from glean.operations.mesh.conducting import conduct
from glean.operations.mesh.plan_config import plan_config
from glean.runs.code_version import code_fingerprint
from glean.runs.index import read_run
from glean.runs.process_tree import this_process
from glean.runs.record import RunRecord
from tests.memory_carrier import MemoryCarrier, MemoryRoad

NAMES = ["Nordbrot", "Ostbrot"]

Work = Callable[[RunRecord, Grid], None]


class Coordinated(MemoryCarrier):
    """A carrier of a run on a mesh, which keeps what it is told."""

    def __init__(self, folder: Path, *, code: str = "", resume: Path | None = None) -> None:
        self.road = MemoryRoad(NAMES, in_step=False)
        super().__init__(self.road, 0)
        self.plan = RunPlan(
            "0" * 32, 1.0, NAMES[0], tuple(NAMES), plan_config({"num-server-rounds": 2}), 15.0,
            "1.0", code or code_fingerprint(),
        )  # fmt: skip
        self.results, self.resume = folder / "results", resume
        self.told: list[str] = []
        self.fails: Exception | None = None

    def announce(self, run: bytes) -> None:
        self.told.append(RunAnnouncement.from_bytes(run).app)

    def began(self, folder: Path) -> None:
        self.told.append(f"began {folder.parent.name}")

    def send(self, node: str, message_id: str, body: bytes) -> None:
        self.told.append(f"to {node}")
        if self.fails is not None:
            raise self.fails
        super().send(node, message_id, body)

    def end(self, reason: str) -> None:
        self.told.append(reason)


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> Callable[[Work], list[Context]]:
    """Exchange the ServerApp; the contexts that it was called with."""

    def exchange(work: Work) -> list[Context]:
        app, contexts = ServerApp(), list[Context]()

        @app.main()
        def main(grid: Grid, context: Context) -> None:
            contexts.append(context)
            record = RunRecord.begin(context.run_config, run_id=context.run_id, engine="mesh")
            try:
                work(record, grid)
            except Exception as error:
                record.end("failed", reason=str(error))
                raise
            record.end("completed")

        monkeypatch.setattr(server_app, "app", app)
        return contexts

    return exchange


def ask_all(_record: RunRecord, grid: Grid) -> None:
    """Send each member a message."""
    grid.push_messages([Message(RecordDict(), node, "query") for node in grid.get_node_ids()])


def test_what_the_run_leaves_is_kept_before_a_message_leaves(
    tmp_path: Path, works: Callable[[Work], list[Context]]
) -> None:
    """Its folder is told once, before the first; its end comes last."""
    works(ask_all)
    carrier = Coordinated(tmp_path)
    folder = conduct(carrier, TurnLock())
    assert carrier.told == [
        "glean/glean",
        "began results",
        "to Nordbrot",
        "to Ostbrot",
        "completed",
    ]
    assert folder.parent == carrier.results
    assert read_run(folder).status == "completed"


def test_a_run_that_all_share_the_reason_of_failing_has_failed(
    tmp_path: Path, works: Callable[[Work], list[Context]]
) -> None:
    """All are told."""

    def work(_record: RunRecord, _grid: Grid) -> None:
        raise FederationError("too few")

    works(work)
    carrier = Coordinated(tmp_path)
    folder = conduct(carrier, TurnLock())
    assert read_run(folder).reason == "too few"
    assert carrier.told[-2:] == ["began results", "too few"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError()])
def test_a_machine_that_cannot_go_on_leaves_the_run_to_others(
    tmp_path: Path, works: Callable[[Work], list[Context]], error: Exception
) -> None:
    """Nobody hears of an end; also where the error was told in other words."""

    def work(_record: RunRecord, _grid: Grid) -> None:
        raise error

    def told(_record: RunRecord, _grid: Grid) -> None:
        raise FederationError("can't write results") from error

    for each in (work, told):
        works(each)
        carrier = Coordinated(tmp_path)
        with pytest.raises(LocalFailureError, match=r"can't coordinate the run: (No space|no mem)"):
            conduct(carrier, TurnLock())
        assert carrier.told == ["glean/glean"]


def test_a_lease_that_is_lost_ends_the_app_and_not_the_run(
    tmp_path: Path, works: Callable[[Work], list[Context]]
) -> None:
    """Whoever sends after that hears of it; no client is taken for one that can't be reached."""
    works(ask_all)
    carrier = Coordinated(tmp_path)
    carrier.fails = LeaseLostError("another one")
    with pytest.raises(LeaseLostError, match="another one"):
        conduct(carrier, TurnLock())
    assert carrier.told[-1] == "to Nordbrot"


def test_a_run_of_other_code_is_left_to_others(tmp_path: Path) -> None:
    """It would become another model; says what to do."""
    carrier = Coordinated(tmp_path, code="another")
    with pytest.raises(LocalFailureError, match="Install the Glean that the others have"):
        conduct(carrier, TurnLock())
    assert carrier.told == []


def test_a_run_is_gone_on_with_where_another_peer_left_it(
    tmp_path: Path, works: Callable[[Work], list[Context]]
) -> None:
    """Nothing of that peer's machine counts here: its process, its folders."""
    config = plan_config({"num-server-rounds": 2})
    left = RunRecord.begin(config | {"output-dir": str(tmp_path / "old")}, run_id=7, engine="mesh")
    left.note(resumed_from="/of/another/machine", process=this_process())
    contexts = works(lambda _record, _grid: None)
    carrier = Coordinated(tmp_path, resume=left.folder.path)
    conduct(carrier, TurnLock())
    assert contexts[0].run_config["resume"] == str(left.folder.path)
    assert contexts[0].run_config["num-server-rounds"] == 2
    assert contexts[0].run_config["output-dir"] == str(carrier.results)
    found = read_run(left.folder.path)
    assert (found.status, found.facts["resumed_from"]) == ("failed", "")
