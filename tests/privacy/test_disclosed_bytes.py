"""What leaves a bakery: every message of a run is captured and searched for what must stay."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import fields, replace
from functools import reduce
from operator import add, or_
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp

from glean import server_app
from glean.client_app import app as glean_app
from glean.errors import FederationError, GleanError
from glean.federation.grids.inprocess import run_inprocess
from glean.federation.launch.flower_app import app_folder
from glean.federation.wire.messages import (
    ClientInfo,
    EvaluateReply,
    FinalReply,
    Flat,
    TrainReply,
)
from glean.federation.wire.sum_messages import (
    KeyReply,
    KeyTask,
    SumReply,
    SumTask,
    UnmaskResult,
    UnmaskTask,
)
from glean.learning.forest import Forest
from glean.sales.table import SalesTable
from glean.settings import ConfigValue, RunSettings
from tests.deployment import deployment, read_log
from tests.federations import SMALL, CapturingGrid, member_nodes
from tests.leaks import Secrets, secrets_of
from tests.processes import wait_until

BAKERIES = ("Nordbrot", "Ostbrot", "Westbrot")
PRODUCTS = ("Roggenkruste 750", "Laugenknoten", "Franzbroetchen")


def sales_of(bakery: str) -> SalesTable:
    """Takings with cents, so that no number of them occurs elsewhere by chance."""
    rng = np.random.default_rng(BAKERIES.index(bakery))
    days = pd.date_range("2023-01-02", periods=200, freq="D")
    week = 1 + 0.3 * np.sin(days.day_of_week.to_numpy())
    parts = [
        pd.DataFrame(
            {
                "date": days,
                "bakery": bakery,
                "product": product,
                "units": (2000 * (place + 1) * week * rng.lognormal(0, 0.2, len(days))).round(2),
            }
        )
        for place, product in enumerate(PRODUCTS)
    ]
    return SalesTable(pd.concat(parts, ignore_index=True))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A table file for each bakery, and one of all."""
    folder = tmp_path_factory.mktemp("hidden-shelf")
    found = {}
    for bakery in BAKERIES:
        found[bakery] = folder / f"till-of-{bakery.lower()}.csv"
        sales_of(bakery).rows.to_csv(found[bakery], index=False)
    found["all"] = folder / "tills-of-all.csv"
    pd.concat([sales_of(b).rows for b in BAKERIES]).to_csv(found["all"], index=False)
    return found


@pytest.fixture(scope="module")
def secrets(tables: Mapping[str, Path]) -> Secrets:
    """What all bakeries together keep."""
    return reduce(or_, (secrets_of(sales_of(b), [tables[b], tables["all"]]) for b in BAKERIES))


def captured(
    out: Path,
    nodes: list[dict[str, ConfigValue]],
    *,
    app: ClientApp = glean_app,
    into: list[Message] | None = None,
    changes: Mapping[str, ConfigValue] | None = None,
) -> list[Message]:
    """Every message of a run in this process; `into` has them even where the run fails.

    The report is drawn from the run's folder, without any message.
    """
    own: dict[str, ConfigValue] = {"output-dir": str(out), "baselines": True}
    config = RunSettings().to_config() | SMALL | own | dict(changes or {})
    grid = CapturingGrid(app, nodes, config, run_id=1)
    grid.captured = [] if into is None else into
    with mock.patch.object(server_app, "write_report"):
        run_inprocess(server_app.app, grid, config)
    # Introductions, two rounds of training and scoring, the final test: asked and answered.
    assert len(grid.captured) > 2 * 4 * len(nodes)
    return grid.captured


def own_tables(tables: Mapping[str, Path], home: Path) -> list[dict[str, ConfigValue]]:
    """Node configs of bakeries that read their own tables."""
    return member_nodes(home, {bakery: tables[bakery] for bakery in BAKERIES}, homes=True)


MESSAGES: tuple[type[Flat], ...] = (
    *(ClientInfo, TrainReply, EvaluateReply, FinalReply, SumTask, SumReply),
    *(KeyTask, KeyReply, UnmaskTask, UnmaskResult),
)


def value_in(record: RecordDict) -> Any:
    """Read a record as the value whose fields it has; None where it is a plain question or task."""
    if "head" in record:
        names = set(json.loads(record.config_records["head"]["head"]))  # type: ignore[arg-type]
    else:
        names = {*record.config_records["fields"], *record.keys()} - {"fields"}
    for kind in MESSAGES:
        if {item.name for item in fields(kind)} == names:
            return kind.from_record(record)
    return None


def leaks_in(record: RecordDict, secrets: Secrets) -> list[str]:
    """What a record gives away, as it is and field by field: bytes may be joined in it."""
    value = value_in(record)
    found = [] if value is None else secrets.in_values(vars(value).values())
    return secrets.in_record(record) + found


def leaks(messages: Iterable[Message], secrets: Secrets) -> list[str]:
    """What the messages give away."""
    return [
        found
        for message in messages
        for found in (
            secrets.in_message(message)
            if message.has_error()
            else leaks_in(message.content, secrets)
        )
    ]


HIDDEN: dict[str, ConfigValue] = {
    "secure-sums": True,
    "share-scores": "no",
    "baselines": False,
}
KINDS: dict[str, dict[str, ConfigValue]] = {
    "scaled": {},
    "cyclic": {"aggregation": "cyclic"},
    "network": {"aggregation": "fedavg", "fedavg-model": "neural"},
    "linear": {"aggregation": "fedavg", "fedavg-model": "poisson"},
    "histogram": {"aggregation": "histogram", "baselines": False},
    "refit": {"leaf-values": "refit", "baselines": False},
    "masked histogram": {**HIDDEN, "aggregation": "histogram"},
    "masked refit": {**HIDDEN, "leaf-values": "refit"},
    "masked network": {**HIDDEN, "aggregation": "fedavg"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_level_or_path_is_in_any_message(
    tables: Mapping[str, Path], secrets: Secrets, tmp_path: Path, kind: str
) -> None:
    """A simulation on one table, and nodes with tables of their own: nothing is given away."""
    changes = KINDS[kind]
    spread: list[dict[str, ConfigValue]] = [{"partition-id": k} for k in range(3)]
    simulated = captured(tmp_path, spread, changes=changes | {"sales": str(tables["all"])})
    assert leaks(simulated, secrets) == []
    nodes = own_tables(tables, tmp_path / "home")
    keys = Secrets(frozenset(str(node["signing-key"]) for node in nodes), frozenset())
    assert leaks(captured(tmp_path, nodes, changes=changes), secrets | keys) == []


def test_an_error_at_a_bakery_gives_nothing_away(
    tables: Mapping[str, Path], secrets: Secrets, tmp_path: Path
) -> None:
    """A damaged table is told about by its kind only; file, line and value stay there."""
    broken = tmp_path / "till-of-nordbrot.csv"
    broken.write_text(tables["Nordbrot"].read_text().replace("2023-02-03", "03/02/2023"))
    nodes = own_tables(tables, tmp_path / "home")
    nodes[0]["sales"] = str(broken)
    messages = captured(tmp_path, nodes)
    assert any(message.has_error() for message in messages)
    assert leaks(messages, secrets | secrets_of(sales_of("Nordbrot"), [broken])) == []


def test_a_node_without_a_table_of_its_own_gives_nothing_away(
    tables: Mapping[str, Path], secrets: Secrets, tmp_path: Path
) -> None:
    """Even where the run names a table, which then may be the bakery's: it is a bakery's node."""
    broken = tmp_path / "till-of-all.csv"
    broken.write_text(tables["all"].read_text().replace("2023-02-03", "03/02/2023"))
    nodes: list[dict[str, ConfigValue]] = [{"bakery": name} for name in BAKERIES[:2]]
    messages: list[Message] = []
    with pytest.raises(FederationError, match="SettingsError at the bakery; its own log says"):
        captured(tmp_path, nodes, into=messages, changes={"sales": str(broken)})
    more = secrets_of(sales_of("Nordbrot"), [broken])
    assert leaks([m for m in messages if m.has_error()], secrets | more) == []


def with_leaf(model: bytes, field: str, leaf: float) -> dict[str, object]:
    """Hide a number in the leaves of the first tree."""
    forest = Forest.from_bytes(model)
    tree = forest.trees[0]
    hidden = replace(tree, value=np.full_like(tree.value, leaf))
    return {field: replace(forest, trees=(hidden, *forest.trees[1:])).to_bytes()}


PLANTS: dict[str, tuple[type, Callable[[Any, pd.DataFrame, Path], dict[str, object]]]] = {
    "a path in a note": (ClientInfo, lambda _v, _rows, path: {"note": f"read {path}"}),
    "a product in a note": (ClientInfo, lambda _v, _rows, _path: {"note": PRODUCTS[1]}),
    "a day in a note": (ClientInfo, lambda _v, _rows, _path: {"note": "since 2023-01-02"}),
    "a sale in a note": (
        ClientInfo,
        lambda _v, rows, _path: {"note": f"sold {rows['units'].iloc[7]} at most"},
    ),
    "a level as the weight": (
        TrainReply,
        lambda _v, rows, _path: {"weight": float(rows["units"].iloc[100:128].mean())},
    ),
    "a sale as a leaf": (
        TrainReply,
        lambda value, rows, _path: with_leaf(value.model, "model", rows["units"].iloc[3]),
    ),
    "a day's takings among the sums": (
        EvaluateReply,
        lambda value, rows, _path: {
            "sums": (*value.sums[:-1], float(rows.groupby("date")["units"].sum().iloc[9]))
        },
    ),
    "a day's takings among the sums of a step": (
        SumReply,
        lambda value, rows, _path: {
            "sums": (*value.sums[:-1], float(rows.groupby("date")["units"].sum().iloc[9]))
        },
    ),
    "a sale in a structure's leaves": (
        SumReply,
        lambda value, rows, _path: (
            with_leaf(value.proposal, "proposal", rows["units"].iloc[3]) if value.proposal else {}
        ),
    ),
    "a path for a device": (SumReply, lambda _v, _rows, path: {"device": str(path)}),
    "a product in a key": (
        KeyReply,
        lambda _v, _rows, _path: {"advertisement": b"GO1" + PRODUCTS[0].encode()},
    ),
    "a day in the opening of a sum": (
        UnmaskResult,
        lambda value, _rows, _path: {"answer": value.answer + b"2023-03-04"},
    ),
    "a product's takings among the scores": (
        FinalReply,
        lambda value, rows, _path: {
            "rows": json.dumps([rows.groupby("product")["units"].sum().iloc[1], value.rows])
        },
    ),
}


MASKED: dict[str, ConfigValue] = {"leaf-values": "refit", "secure-sums": True}
SETTINGS_OF: dict[type, dict[str, ConfigValue]] = {
    SumReply: {"leaf-values": "refit"},
    KeyReply: MASKED,
    UnmaskResult: MASKED,
}
"""Of runs in which there are such messages."""


class LeakingApp(ClientApp):
    """Glean's ClientApp, with something secret put into one kind of its replies."""

    def __init__(self, plant: str, tables: Mapping[str, Path]) -> None:
        super().__init__()
        self._kind, self._change = PLANTS[plant]
        self._tables = tables

    def __call__(self, message: Message, context: Context) -> Message:
        reply = glean_app(message, context)
        value = value_in(reply.content)
        leaks_here = type(value) is self._kind
        if leaks_here:
            bakery = str(context.node_config["bakery"])
            change = self._change(value, sales_of(bakery).rows, self._tables[bakery])
            reply.content = replace(value, **change).to_record()
        return reply


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_leak_is_found(
    tables: Mapping[str, Path], secrets: Secrets, tmp_path: Path, plant: str
) -> None:
    """The search above would see it, wherever in a message something secret is put."""
    messages: list[Message] = []
    with suppress(GleanError):  # the server refuses some of them, once they have been sent
        captured(
            tmp_path,
            own_tables(tables, tmp_path / "home"),
            app=LeakingApp(plant, tables),
            into=messages,
            changes={"baselines": False, **SETTINGS_OF.get(PLANTS[plant][0], {})},
        )
    assert leaks(messages, secrets) != []


RECORDER = """
import pickle
from pathlib import Path

from flwr.serverapp import Grid, ServerApp

from glean import server_app

app = ServerApp()


class Recorder(Grid):
    def __init__(self, grid, folder):
        self.grid, self.folder, self.count = grid, folder, 0
        folder.mkdir(parents=True)

    def keep(self, messages):
        for message in messages:
            self.count += 1
            said = message.error.reason if message.has_error() else message.content
            (self.folder / f"{self.count:05d}").write_bytes(pickle.dumps(said))
        return messages

    run = property(lambda self: self.grid.run)

    def set_run(self, run):
        self.grid.set_run(run)

    def create_message(self, *args, **named):
        return self.grid.create_message(*args, **named)

    def get_node_ids(self):
        return self.grid.get_node_ids()

    def push_messages(self, messages):
        return self.grid.push_messages(self.keep(list(messages)))

    def pull_messages(self, message_ids):
        return self.keep(list(self.grid.pull_messages(message_ids)))

    def send_and_receive(self, messages, *, timeout=None):
        raise AssertionError("not captured")


@app.main()
def main(grid, context):
    folder = Path(context.run_config["output-dir"]) / "captured"
    server_app.main(Recorder(grid, folder), context)
"""


@pytest.mark.slow
@pytest.mark.long  # minutes, since every message starts a process at each bakery
@pytest.mark.timeout(900)
def test_no_row_level_or_path_is_in_any_message_of_a_deployment(
    tables: Mapping[str, Path], secrets: Secrets, tmp_path: Path
) -> None:
    """Over TLS between processes, as bakeries run it: the messages and all that Flower stores."""
    app = app_folder(tmp_path)
    (app / "recorder.py").write_text(RECORDER)
    project = (app / "pyproject.toml").read_text()
    project = project.replace('"glean.server_app:app"', '"recorder:app"')
    project = project.replace('["glean/**/*.py"]', '["glean/**/*.py", "recorder.py"]')
    (app / "pyproject.toml").write_text(project)
    out = tmp_path / "out"
    config = {"num-server-rounds": 1, "test-days": 14, "output-dir": str(out), "max-depth": 2}
    words = " ".join(f"{key}={json.dumps(value)}" for key, value in config.items())
    with deployment(tmp_path / "deployed", {b: tables[b] for b in BAKERIES}) as deployed:
        submitted = deployed.flwr(
            "run", app, deployed.connection, "--run-config", words, "--format=json"
        )
        assert submitted.returncode == 0, submitted.stdout + submitted.stderr
        wait_until(
            lambda: "Finished task" in deployed.superlink_log, "the end of the run", limit_s=600.0
        )
        number = str(json.loads(submitted.stdout)["run-id"])
        said = deployed.flwr("log", number, deployed.connection, "--show").stdout
        assert read_log(out / "latest" / "run.json").count('"completed"') == 1, said
        homes = [deployed.home(bakery) for bakery in BAKERIES]
        secrets |= Secrets(frozenset(map(str, homes)), frozenset())
        kept = [path.read_bytes() for path in (tmp_path / "deployed").glob("superlink.db*")]
        assert secrets.in_values([*kept, deployed.superlink_log]) == []
    kept_messages = [pickle.loads(path.read_bytes()) for path in (out / "captured").iterdir()]  # noqa: S301
    assert len(kept_messages) >= 3 * 2 * 4
    found = [
        secrets.in_values([s]) if isinstance(s, str) else leaks_in(s, secrets)
        for s in kept_messages
    ]
    assert reduce(add, found, []) == []
