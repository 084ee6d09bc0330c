"""Bakeries with tables and homes of their own in runs with noise, one run after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import pandas as pd
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from glean.client_app import app as glean_app
from glean.features.bakery_rows import bakery_rows_of
from glean.federation.client.client import client_of
from glean.federation.client.ledger_store import LedgerStore
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.global_model import GlobalModel
from glean.federation.grids.inprocess import InProcessGrid, as_server
from glean.federation.server.setup import negotiate_spec, register_clients
from glean.federation.server.training_loop import TrainingLoop
from glean.learning.learning_rates import learning_rate_of
from glean.privacy.privacy_ledger import PrivacyLedger
from glean.runs.folder import RunFolder
from glean.settings import ConfigValue, RunSettings
from tests.federations import Federation, Meddle, member_nodes, small_settings
from tests.tables import random_table

_RUN_IDS = count(1)

NOISED: dict[str, ConfigValue] = {
    "aggregation": "auto",
    "privacy": "noise",
    "secure_sums": True,
    "learning_rate": 0.0,
    "min_contributors": 3,
}


class MeddledBakeries(ClientApp):
    """Glean's ClientApp, where a test may answer in a bakery's place, by its name."""

    def __init__(self, meddle: Meddle) -> None:
        super().__init__()
        self._meddle = meddle

    def __call__(self, message: Message, context: Context) -> Message:
        name = str(context.node_config["bakery"])
        return self._meddle(message, name, lambda: glean_app(message, context))


class Bakeries:
    """Bakeries' machines.

    Parameters
    ----------
    folder : Path
        Where their tables and homes are.
    bakeries : int
        How many; 3 unless said otherwise.
    days : int
        Of their tables.
    policy : mapping, optional
        Further keys of their node config, with "_" for "-".
    """

    def __init__(
        self,
        folder: Path,
        *,
        bakeries: int = 3,
        days: int = 80,
        policy: Mapping[str, ConfigValue] | None = None,
    ) -> None:
        self.folder = folder
        self._table = random_table(bakeries=bakeries, days=200).rows
        self.tables = {name: folder / f"{name}.csv" for name in self._table["bakery"].unique()}
        folder.mkdir(parents=True, exist_ok=True)
        self.write_tables(days)
        told = {key.replace("_", "-"): value for key, value in (policy or {}).items()}
        self.nodes = [
            node | told for node in member_nodes(folder / "keys", self.tables, homes=True)
        ]

    def write_tables(self, days: int, *, but: Sequence[str] = ()) -> None:
        """Export the first days of all tables anew, but for those of some bakeries."""
        first = self._table["date"].min()
        kept = self._table[self._table["date"] < first + pd.Timedelta(days=days)]
        for name, path in self.tables.items():
            if name not in but:
                kept[kept["bakery"] == name].to_csv(path, index=False)
        self.start_anew()

    def export_anew(self, bakery: int) -> None:
        """Bring a bakery's rows under another path, another name, other products, and shuffled."""
        node = self.nodes[bakery]
        rows = pd.read_csv(str(node["sales"])).sample(frac=1.0, random_state=3)
        rows["bakery"] = "its new name"
        rows["product"] = "new " + rows["product"]
        node["sales"] = str(self.folder / "exported anew.csv")
        rows.to_csv(str(node["sales"]), index=False)
        self.start_anew()

    def start_anew(self) -> None:
        """Forget what this process has read: a bakery's ClientApp is a process for each message."""
        client_of.cache_clear()
        bakery_rows_of.cache_clear()

    def home(self, bakery: int = 0) -> Path:
        """The folder of a bakery."""
        return Path(str(self.nodes[bakery]["home"]))

    def ledger(self, bakery: int = 0) -> PrivacyLedger:
        """What a bakery's days have spent."""
        return LedgerStore(self.home(bakery)).read()

    def meet(
        self,
        *,
        app: ClientApp = glean_app,
        grid_type: type[InProcessGrid] = InProcessGrid,
        start: GlobalModel | None = None,
        run_id: int | None = None,
        **changes: ConfigValue,
    ) -> Federation:
        """Have them meet for a run with noise."""
        settings = small_settings("", **(NOISED | changes))
        number = run_id or next(_RUN_IDS)
        grid = grid_type(app, self.nodes, settings.to_config(), run_id=number)
        folder = RunFolder.create(self.folder / "run", run_id=number)
        with as_server(grid):
            clients, infos, newcomers = register_clients(grid, settings, folder)
            spec = start.spec if start else negotiate_spec(infos, newcomers, settings)
        manager = ClientManager(
            clients,
            settings,
            spec,
            learning_rate=learning_rate_of(settings.rounds),
            infos=infos,
            newcomers=newcomers,
        )
        rounds = TrainingLoop(manager, start=start)
        return Federation(grid, settings, folder, clients, infos, newcomers, rounds)


def noised(**changes: ConfigValue) -> RunSettings:
    """Settings of such a run."""
    return small_settings("", **(NOISED | changes))
