"""Runs whose clients are reached by a carrier, in this process, and killed on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from glean.client_app import app as glean_app
from glean.client_app import forget_clients
from glean.federation.client.journal_undo import JournalUndo
from glean.federation.grids.carried_grid import CarriedGrid
from glean.federation.grids.carrier import Carrier
from glean.federation.grids.client_store import FILE, ClientStore
from glean.federation.grids.inprocess import as_server
from glean.federation.grids.run_announcement import RunAnnouncement
from glean.federation.grids.turns import TurnLock, TurnTakingCarrier
from glean.federation.launch.flower_app import app_name, app_project
from glean.federation.node.carried_client import CarriedClient
from glean.federation.node.hosted_runs import HostedRuns
from glean.federation.node.release_check import InstalledApp
from glean.federation.server.setup import negotiate_spec, register_clients, training_loop
from glean.runs.code_version import code_fingerprint
from glean.runs.folder import RunFolder
from glean.settings import ConfigValue, RunSettings
from tests.federations import member_nodes
from tests.memory_carrier import (
    Killed,
    MemoryCarrier,
    MemoryClientCarrier,
    MemoryRoad,
    Opened,
    clients_at_work,
)
from tests.tables import random_table

RUN_ID = 41
NAMES = ("Nordbrot", "Ostbrot", "Westbrot")

BEFORE, COMPUTED, COMMITTED = "before compute", "after compute", "after commit"
POINTS = (BEFORE, COMPUTED, COMMITTED)

Kills = Callable[[str, int], str]
"""Given a client and how many messages it has had, says where it is killed in this one, or ""."""


def never(_name: str, _number: int) -> str:
    """Kill nobody."""
    return ""


def own_tables(folder: Path, names: Sequence[str] = NAMES) -> dict[str, Path]:
    """Tables of three bakeries, or of others, by name."""
    folder.mkdir(parents=True)
    tables = {}
    found = random_table(bakeries=len(names), days=80).rows.groupby("bakery")
    for name, (_, rows) in zip(names, found, strict=True):
        tables[name] = folder / f"{name}.csv"
        rows.drop(columns="bakery").to_csv(tables[name], index=False)
    return tables


def own_nodes(folder: Path) -> dict[str, dict[str, ConfigValue]]:
    """Three bakeries with tables, keys and homes of their own, by name."""
    nodes = member_nodes(folder / "keys", own_tables(folder), homes=True)
    return dict(zip(NAMES, nodes, strict=True))


class KillableApp(ClientApp):
    """Glean's app, counted by message, and killed where a test wants it."""

    def __init__(self, process: KilledClients, name: str) -> None:
        super().__init__()
        self._process = process
        self._name = name

    def __call__(self, message: Message, context: Context) -> Message:
        number = message.metadata.message_id
        self._process.reach(self._name, number, BEFORE)
        self._process.computed[number] += 1
        reply = glean_app(message, context)
        self._process.reach(self._name, number, COMPUTED)
        return reply


class KilledClients:
    """The clients of a run, of which some are killed and opened again from what they keep.

    Parameters
    ----------
    road : MemoryRoad
        The road.
    nodes : mapping of str to mapping
        Node configs by name.
    stores : Path
        Folder of what they keep.
    kills : callable
        Who is killed, and where.
    turn : TurnLock, optional
        What they have while they answer.
    """

    def __init__(
        self,
        road: MemoryRoad,
        nodes: Mapping[str, Mapping[str, ConfigValue]],
        stores: Path,
        kills: Kills,
        turn: TurnLock | None = None,
    ) -> None:
        self._road = road
        self._nodes = nodes
        self._stores = stores
        self._kills = kills
        self._turn = turn
        self._numbers: dict[str, list[str]] = {name: [] for name in nodes}
        self.computed: Counter[str] = Counter()
        self.killed: dict[str, str] = {}

    def reach(self, name: str, message_id: str, point: str) -> None:
        """Come to a point in a message's life; killed there where that is wanted, once."""
        numbers = self._numbers[name]
        if message_id not in numbers:
            numbers.append(message_id)
        wanted = self._kills(name, numbers.index(message_id))
        if wanted == point and message_id not in self.killed:
            self.killed[message_id] = point
            raise Killed

    def open(self, name: str) -> Opened:
        """Open a client, from its disk alone."""
        forget_clients()
        home = self._nodes[name].get("home")
        store = ClientStore(self._stores / name / FILE)
        carrier = MemoryClientCarrier(
            self._road, name, lambda number: self.reach(name, number, COMMITTED)
        )
        installed = InstalledApp(app_name(), app_project()["project"]["version"])
        hosts = HostedRuns(
            KillableApp(self, name),
            installed,
            name=name,
            node_config=self._nodes[name],
            store=store,
            undo=JournalUndo(Path(str(home))) if home else None,
            turn=self._turn,
        )
        return CarriedClient(carrier, hosts), store.close


def carried_model(
    out: Path,
    settings: RunSettings,
    nodes: Mapping[str, Mapping[str, ConfigValue]],
    *,
    kills: Kills = never,
    turn: TurnLock | None = None,
) -> tuple[bytes, RunFolder, KilledClients, MemoryRoad]:
    """Bytes of the final model over a carrier, and what happened.

    With a turn, the server and its clients are at work at once.
    """
    road = MemoryRoad(list(nodes), in_step=turn is None)
    carrier: Carrier = MemoryCarrier(road, RUN_ID)
    if turn is not None:
        carrier = TurnTakingCarrier(carrier, turn)
    folder = RunFolder.create(out / "run", run_id=RUN_ID)
    grid = CarriedGrid(carrier, run_id=RUN_ID)
    clients = KilledClients(road, nodes, out / "stores", kills, turn)
    release = app_project()["project"]["version"]
    announced = RunAnnouncement(
        RUN_ID, app_name(), release, code_fingerprint(), settings.to_config()
    )
    with ExitStack() as stack:
        stack.enter_context(clients_at_work(road, clients.open))
        stack.enter_context(nullcontext() if turn is None else turn)
        carrier.announce(announced.to_bytes())
        stack.enter_context(as_server(grid))
        exchange, bakeries, newcomers = register_clients(grid, settings, folder)
        spec = negotiate_spec(bakeries, newcomers, settings)
        found = training_loop(exchange, settings, spec, bakeries, newcomers).run()
    return found.model.to_bytes(), folder, clients, road


def killed_at(points: Sequence[str], *, every: int) -> Kills:
    """Kill in every so-many-th message of each client, at these points in turn."""

    def kills(name: str, number: int) -> str:
        place, rest = divmod(number + NAMES.index(name), every)
        return points[place % len(points)] if rest == 0 else ""

    return kills
