"""A bakery that was away for a whole run has in its home what those have who were there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from flwr.app import Context, Message
from flwr.clientapp import ClientApp

from glean import server_app
from glean.client_app import app as glean_app
from glean.client_app import forget_clients
from glean.demand import conclusion
from glean.errors import FederationError
from glean.federation.client.journal_undo import JournalUndo
from glean.federation.grids.client_store import FILE, ClientStore
from glean.federation.grids.run_announcement import ANNOUNCEMENT_FILE, RunAnnouncement
from glean.federation.launch.flower_app import app_name, app_project
from glean.federation.launch.run_carried import run_on_carrier
from glean.federation.node.carried_client import CarriedClient
from glean.federation.node.hosted_runs import HostedRuns
from glean.federation.node.late_result import announcement_in, take_result
from glean.federation.node.release_check import InstalledApp
from glean.federation.wire.final_task_file import FINAL_TASK_FILE
from glean.runs.model_card import CARD_FILE, digest_of
from glean.settings import ConfigValue
from tests.federations import member_nodes
from tests.inprocess_runs import config_of
from tests.memory_carrier import MemoryCarrier, MemoryClientCarrier, MemoryRoad, clients_at_work
from tests.tables import random_table

THERE, AWAY = ("Nordbrot", "Ostbrot", "Westbrot"), "Südbrot"

OF_THE_ROUNDS = {"home.json", "sums.json", FILE, f"{FILE}-wal", f"{FILE}-shm"}
"""Files of a home that tell when it took the model, or that only those have who trained."""


class Counting(ClientApp):
    """Glean's app, with the messages that it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def __call__(self, message: Message, context: Context) -> Message:
        self.asked.append(message.metadata.message_type)
        return glean_app(message, context)


class Announcing(MemoryCarrier):
    """Takes the run's number from its announcement."""

    def announce(self, run: bytes) -> None:
        """Tell of a run."""
        self._run_id = RunAnnouncement.from_bytes(run).run_id
        super().announce(run)


@dataclass
class Bakery:
    """One bakery's client, its app and its store."""

    node: Mapping[str, ConfigValue]
    name: str
    store: ClientStore
    app: ClientApp

    def hosts(self) -> HostedRuns:
        """Host it, as a fresh process does."""
        forget_clients()
        installed = InstalledApp(app_name(), app_project()["project"]["version"])
        return HostedRuns(
            self.app,
            installed,
            name=self.name,
            node_config=self.node,
            store=self.store,
            undo=JournalUndo(self.home),
        )

    @property
    def home(self) -> Path:
        """Its home."""
        return Path(str(self.node["home"]))


def bakery(node: Mapping[str, ConfigValue], home: Path, app: ClientApp = glean_app) -> Bakery:
    """Open a bakery with a home."""
    node = {**node, "home": str(home)}
    return Bakery(node, str(node["bakery"]), ClientStore(home / FILE), app)


@dataclass(frozen=True)
class Finished:
    """A run of three bakeries, of four."""

    folder: Path
    nodes: Mapping[str, Mapping[str, ConfigValue]]
    homes: Path


def finished_run(out: Path, **changes: ConfigValue) -> Finished:
    """Run with three of four bakeries over a carrier."""
    tables = {}
    rows = random_table(bakeries=4, days=80).rows.groupby("bakery")
    for name, (_, own) in zip((*THERE, AWAY), rows, strict=True):
        tables[name] = out / f"{name}.csv"
        own.drop(columns="bakery").to_csv(tables[name], index=False)
    nodes = dict(zip(tables, member_nodes(out / "keys", tables), strict=True))
    homes = out / "homes"
    bakeries = {name: bakery(nodes[name], homes / name) for name in THERE}
    road = MemoryRoad(list(THERE))

    def open_client(name: str) -> tuple[CarriedClient, Any]:
        carrier = MemoryClientCarrier(road, name)
        return CarriedClient(carrier, bakeries[name].hosts()), lambda: None

    config = config_of(
        "", secure_sums=True, share_scores="no", min_contributors=3, baselines=True, **changes
    )
    with clients_at_work(road, open_client), mock.patch.object(conclusion, "write_report"):
        folder = run_on_carrier(
            server_app.app, Announcing(road, 0), config | {"output-dir": str(out / "results")}
        )
    for one in bakeries.values():
        one.store.close()
    return Finished(folder, nodes, homes)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """A run with trees in refitted leaves, whose sums are masked."""
    return finished_run(tmp_path_factory.mktemp("run"), leaf_values="refit", proposals_per_round=3)


@pytest.fixture
def folder(run: Finished, tmp_path: Path) -> Path:
    """A copy of its folder, as another member has it."""
    return Path(shutil.copytree(run.folder, tmp_path / "run"))


def files_of(home: Path) -> dict[str, bytes]:
    """Files of a home that follow from the run's model and the bakery's table."""
    names = {path.name for path in home.iterdir()} - OF_THE_ROUNDS
    return {name: (home / name).read_bytes() for name in names if name[0] != "."}


def about(home: Path) -> dict[str, Any]:
    """`home.json`, but for the time at which the model was taken."""
    found: dict[str, Any] = json.loads((home / "home.json").read_bytes())
    del found["time"]
    return found


def changed(folder: Path, name: str, **values: object) -> None:
    """Change values in a JSON file of a folder."""
    found = json.loads((folder / name).read_bytes()) | values
    (folder / name).write_bytes(json.dumps(found, indent=2).encode())


def test_who_was_away_gets_the_same_as_who_was_there(
    run: Finished, folder: Path, tmp_path: Path
) -> None:
    """A bakery with an empty home and the same table has every file of it, to the byte."""
    late = bakery(run.nodes["Ostbrot"], tmp_path / "late")
    assert take_result(folder, announcement_in(folder), late.hosts())
    there, found = files_of(run.homes / "Ostbrot"), files_of(late.home)
    assert {"model.ubj", CARD_FILE, "own.json", "bakeries.csv", "choice.csv"} <= there.keys()
    assert found == there
    assert about(late.home) == about(run.homes / "Ostbrot")


def test_a_bakery_that_no_round_heard_of_gets_the_model(
    run: Finished, folder: Path, tmp_path: Path
) -> None:
    """With its card, and what it makes of it with its own table."""
    late = bakery(run.nodes[AWAY], tmp_path / "late")
    assert take_result(folder, announcement_in(folder), late.hosts())
    there, found = files_of(run.homes / "Ostbrot"), files_of(late.home)
    assert found.keys() == there.keys()
    assert {name for name in found if found[name] == there[name]} == {"model.ubj", CARD_FILE}
    assert about(late.home)["bakery"] == AWAY
    assert late.store.state(announcement_in(folder).run_id)


def test_averaged_weights_are_taken_late_too(tmp_path: Path) -> None:
    """A trainer of weights takes them without any of the rounds before."""
    averaged = finished_run(tmp_path, aggregation="fedavg")
    late = bakery(averaged.nodes["Ostbrot"], tmp_path / "late")
    assert take_result(averaged.folder, announcement_in(averaged.folder), late.hosts())
    assert "model.npz" in files_of(late.home)
    assert files_of(late.home) == files_of(averaged.homes / "Ostbrot")


def test_taken_twice_it_is_computed_once(run: Finished, folder: Path, tmp_path: Path) -> None:
    """Also by the next process, and at one that answered the final test itself."""
    app = Counting()
    late = bakery(run.nodes[AWAY], tmp_path / "late", app)
    told = announcement_in(folder)
    assert take_result(folder, told, late.hosts())
    before = files_of(late.home)
    assert not take_result(folder, told, late.hosts())
    assert app.asked == ["evaluate.test"]
    assert files_of(late.home) == before
    there = bakery(run.nodes["Ostbrot"], run.homes / "Ostbrot", app)
    assert not take_result(folder, told, there.hosts())
    assert app.asked == ["evaluate.test"]


def test_what_a_kill_cut_short_is_computed_again(
    run: Finished, folder: Path, tmp_path: Path
) -> None:
    """The model is at home and the bakery's own files aren't: nothing says that it is done."""

    class Killed(BaseException):
        pass

    class CutShort(Counting):
        def __call__(self, message: Message, context: Context) -> Message:
            super().__call__(message, context)
            (late.home / "own.json").unlink()
            raise Killed

    late = bakery(run.nodes[AWAY], tmp_path / "late", CutShort())
    told = announcement_in(folder)
    with pytest.raises(Killed):
        take_result(folder, told, late.hosts())
    assert (late.home / "model.ubj").exists()
    late.app = Counting()
    assert take_result(folder, told, late.hosts())
    assert (late.home / "own.json").exists()


def test_a_home_that_cant_be_written_to_is_tried_again(
    run: Finished, folder: Path, tmp_path: Path
) -> None:
    """An answer without the model at home counts for nothing, nor does an error."""
    told, app = announcement_in(folder), Counting()
    late = bakery(run.nodes[AWAY], tmp_path / "late", app)
    (late.home / "model.ubj").mkdir()
    with pytest.raises(FederationError, match="isn't at home"):
        take_result(folder, told, late.hosts())
    (late.home / "model.ubj").rmdir()
    table = Path(str(late.node["sales"]))
    moved = table.rename(table.with_suffix(".away"))
    with pytest.raises(FederationError, match=r"can't be taken: .* its own log says more"):
        take_result(folder, told, late.hosts())
    moved.rename(table)
    assert take_result(folder, told, late.hosts())
    assert app.asked == ["evaluate.test"] * 3
    assert digest_of((late.home / "model.ubj").read_bytes()) == about(late.home)["sha256"]


def test_the_model_of_a_later_run_stays(run: Finished, folder: Path, tmp_path: Path) -> None:
    """Results of two runs may come in any order: the later one's model is at home in the end."""
    told, app = announcement_in(folder), Counting()
    late = bakery(run.nodes[AWAY], tmp_path / "late", app)
    assert take_result(folder, told, late.hosts())
    card = json.loads((late.home / CARD_FILE).read_bytes())
    card["run"] |= {"id": "5", "start": "2999-01-01T00:00:00+00:00"}
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    (late.home / CARD_FILE).write_text(text, encoding="utf-8")
    changed(late.home, "home.json", run="5")
    assert not take_result(folder, told, late.hosts())
    assert (about(late.home)["run"], len(app.asked)) == ("5", 1)


def test_a_run_that_hasnt_completed_has_no_result(
    run: Finished, folder: Path, tmp_path: Path
) -> None:
    """Nor has a folder that isn't one of a run."""
    told = announcement_in(folder)
    hosts = bakery(run.nodes[AWAY], tmp_path / "late").hosts()
    changed(folder, "run.json", status="failed")
    with pytest.raises(FederationError, match="found a run of status 'failed'; wanted a compl"):
        take_result(folder, told, hosts)
    (folder / "run.json").unlink()
    with pytest.raises(FederationError, match=r"found no run\.json"):
        take_result(folder, told, hosts)
    assert not (tmp_path / "late" / "home.json").exists()


def test_a_run_of_other_code_is_refused(run: Finished, folder: Path, tmp_path: Path) -> None:
    """By its announcement, by its record, and of another version."""
    told = announcement_in(folder)
    hosts = bakery(run.nodes[AWAY], tmp_path / "late").hosts()
    with pytest.raises(FederationError, match=r"other code of Glean \('abc'\)"):
        take_result(folder, replace(told, code="abc"), hosts)
    with pytest.raises(FederationError, match=r"found a run of Glean 0\.0\.1; wanted"):
        take_result(folder, replace(told, release="0.0.1"), hosts)
    changed(folder, "run.json", code="abc")
    with pytest.raises(FederationError, match=r"other code of Glean \('abc'\)"):
        take_result(folder, told, hosts)
    assert not (tmp_path / "late" / "home.json").exists()


def test_what_doesnt_fit_together_is_refused(run: Finished, folder: Path, tmp_path: Path) -> None:
    """A model that isn't the card's, another run's, files that are missing or damaged."""
    told = announcement_in(folder)
    hosts = bakery(run.nodes[AWAY], tmp_path / "late").hosts()
    with pytest.raises(FederationError, match=f"wanted that of {told.run_id - 1}"):
        take_result(folder, replace(told, run_id=told.run_id - 1), hosts)
    model = (folder / "model.ubj").read_bytes()
    (folder / "model.ubj").write_bytes(model + b" ")
    with pytest.raises(FederationError, match=r"found a model of SHA-256 .* which its card names"):
        take_result(folder, told, hosts)
    (folder / "model.ubj").write_bytes(model)
    for name, value, words in (
        ("round", "2", "'round': found '2'; wanted a int"),
        ("learning_rate", 10**400, "wanted finite numbers"),
        ("card", "", "the card is damaged"),
        ("format", 2, "found another form"),
    ):
        kept = (folder / FINAL_TASK_FILE).read_bytes()
        changed(folder, FINAL_TASK_FILE, **{name: value})
        with pytest.raises(FederationError, match=words):
            take_result(folder, told, hosts)
        (folder / FINAL_TASK_FILE).write_bytes(kept)
    for content, words in ((b"[" * 10**6, "can't be read as JSON"), (b"[]", "no JSON object")):
        (folder / FINAL_TASK_FILE).write_bytes(content)
        with pytest.raises(FederationError, match=words):
            take_result(folder, told, hosts)
    for name in (FINAL_TASK_FILE, "model.ubj"):
        (folder / name).unlink()
        with pytest.raises(FederationError, match=f"found no {name}"):
            take_result(folder, told, hosts)
    assert not (tmp_path / "late" / "home.json").exists()


def test_a_folder_without_announcement_is_refused(folder: Path) -> None:
    """It isn't one of a run over a carrier."""
    (folder / ANNOUNCEMENT_FILE).unlink()
    with pytest.raises(FederationError, match=rf"found no {ANNOUNCEMENT_FILE}; wanted the folder"):
        announcement_in(folder)


def test_without_a_home_there_is_nowhere_to_keep_it(
    run: Finished, folder: Path, tmp_path: Path
) -> None:
    """A simulation's client, for one."""
    late = bakery(run.nodes[AWAY], tmp_path / "late")
    hosts = late.hosts()
    late.node = {key: value for key, value in late.node.items() if key != "home"}
    hosts = HostedRuns(
        late.app, InstalledApp("", ""), name=AWAY, node_config=late.node, store=late.store
    )
    with pytest.raises(FederationError, match="found no home"):
        take_result(folder, announcement_in(folder), hosts)
