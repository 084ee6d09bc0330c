"""What leaves a bakery: every message of a run is captured and searched for what must stay."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest
from flwr.app import Message

from glean.errors import FederationError
from glean.federation.launch.flower_app import copy_app
from glean.settings import ConfigValue
from tests.deployment import deployment, read_log
from tests.leaks import Secrets, secrets_of
from tests.privacy.captured_runs import BAKERIES, captured, fields_in, leaks, own_tables, sales_of
from tests.processes import wait_until

pytestmark = pytest.mark.slow

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
    "noised": {**HIDDEN, "aggregation": "oblivious", "privacy": "noise"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_level_or_path_is_in_any_message(
    tables: Mapping[str, Path], secrets: Secrets, tmp_path: Path, kind: str
) -> None:
    """A simulation on one table, and nodes with tables of their own: nothing is given away."""
    changes = KINDS[kind]
    if changes.get("privacy") == "noise":
        secrets = secrets.fractions
    spread: list[dict[str, ConfigValue]] = [{"partition-id": k} for k in range(3)]
    sales: dict[str, ConfigValue] = {"sales": str(tables["all"]), "baselines": False}
    simulated = captured(tmp_path / "simulated", spread, changes=changes | sales)
    assert leaks(simulated, secrets) == []
    if changes.get("aggregation") == "histogram":
        return  # not for own tables: its cells are of few
    nodes = own_tables(tables, tmp_path / "home")
    keys = Secrets(frozenset(str(node["signing-key"]) for node in nodes), frozenset())
    deployed = captured(tmp_path / "deployed", nodes, changes=changes)
    assert leaks(deployed, secrets | keys) == []


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
    app = copy_app(tmp_path)
    (app / "recorder.py").write_text(RECORDER)
    project = (app / "pyproject.toml").read_text()
    project = project.replace('"glean.server_app:app"', '"recorder:app"')
    project = project.replace('["glean/**/*.py"]', '["glean/**/*.py", "recorder.py"]')
    (app / "pyproject.toml").write_text(project)
    out = tmp_path / "out"
    config = {"num-server-rounds": 1, "test-days": 14, "output-dir": str(out), "max-depth": 2}
    config |= {"min-contributors": len(BAKERIES), "privacy": "sums"}
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
    for content in kept_messages:
        values = [content] if isinstance(content, str) else fields_in(content)
        assert secrets.in_values(values) == []
