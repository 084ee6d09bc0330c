"""Bakeries with tables of their own, and nothing said of privacy: noise on all that is opened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from flwr.app import Message

from glean.errors import FederationError
from glean.evaluation.tables.backtest import CLIENT_METHODS, NOISED_METHODS
from glean.federation.coordination.sum_rounds import SUM
from glean.federation.wire.messages import ClientInfo
from glean.federation.wire.noised_parts import noised_parts_of
from glean.federation.wire.sum_messages import SumTask
from glean.federation.wire.sum_request import SumRequest
from glean.metric_sums import ALL_CLIENTS
from glean.runs.model_card import CARD_FILE, CARD_PAGE
from glean.settings import ConfigValue, RunSettings
from tests.inprocess_runs import facts_of
from tests.leaks import Secrets
from tests.lying_server import deployed
from tests.privacy.captured_runs import BAKERIES, captured, leaks, own_tables, sales_of, value_in

AUTO: dict[str, ConfigValue] = {
    "privacy": "auto",
    "aggregation": "auto",
    "secure-sums": True,
    "learning-rate": 0.0,
    "baselines": True,
}


@dataclass(frozen=True)
class Deployed:
    """What a deployment left: every message, the server's folder, each bakery's own scores."""

    messages: list[Message]
    folder: Path
    own: Mapping[str, pd.DataFrame]


@pytest.fixture(scope="module")
def run(tables: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    out = tmp_path_factory.mktemp("noised")
    nodes = own_tables(tables, out / "homes")
    messages = captured(out / "server", nodes, changes=AUTO)
    own = {str(n["bakery"]): pd.read_csv(Path(str(n["home"])) / "bakeries.csv") for n in nodes}
    return Deployed(messages, (out / "server" / "latest").resolve(), own)


def exact_totals(own: Mapping[str, pd.DataFrame]) -> Secrets:
    """Scores and sums of each bakery and of all, and what they sold in windows of two weeks."""
    columns = ["units", "abs_error", "wape", "mae", "rmse", "mape", "mase", "bias"]
    everyone = pd.concat(own.values())
    of_all = everyone.groupby("method")[columns].agg(["sum", "mean"]).to_numpy().ravel()
    numbers = {float(value) for value in [*everyone[columns].to_numpy().ravel(), *of_all]}
    validation = []
    for name in BAKERIES:
        rows = sales_of(name).rows
        days = np.sort(rows["date"].unique())
        inside = (rows["date"] >= days[-28]) & (rows["date"] < days[-14])
        validation.append(float(rows.loc[inside, "units"].sum()))
    numbers |= {*validation, sum(validation)}
    return Secrets(frozenset(), frozenset(numbers)).fractions


def test_auto_is_noise_where_bakeries_have_their_own_tables(run: Deployed) -> None:
    """It is resolved by name in the record, and only noised parts are asked for, masked."""
    settings = facts_of(run.folder)["settings"]
    assert (settings["privacy"], settings["aggregation"]) == ("noise", "oblivious")
    assert facts_of(run.folder)["engine"] == "deployment"
    asked = [
        SumRequest.from_json(SumTask.from_record(message.content).request)
        for message in run.messages
        if message.metadata.message_type == SUM and not message.metadata.reply_to_message_id
    ]
    opened = noised_parts_of(RunSettings.from_config(settings))
    assert {part for request in asked for part in request.parts} == opened
    assert all(request.masked and not int(request.scorers, 16) for request in asked)


def test_no_exact_total_or_score_is_in_a_message_or_a_file(run: Deployed, secrets: Secrets) -> None:
    """Nor a row, a level or a path; each bakery has its own scores in full at home."""
    wanted = secrets.fractions | exact_totals(run.own)
    assert leaks(run.messages, wanted) == []
    files = [path for path in run.folder.rglob("*") if path.is_file()]
    assert {"bakeries.csv", "rounds.csv", "run.json", "events.jsonl"} <= {f.name for f in files}
    assert exact_totals(run.own).in_values([path.read_bytes() for path in files]) == []
    for table in run.own.values():
        assert table["method"].tolist() == [*CLIENT_METHODS]
        assert table[["units", "abs_error", "wape", "n_rows"]].notna().all(axis=None)


def test_the_server_has_two_noised_means_and_empty_cells(run: Deployed) -> None:
    """And these aren't the exact means, but for one chance in a million."""
    table = pd.read_csv(run.folder / "bakeries.csv")
    assert table["method"].tolist() == [*NOISED_METHODS]
    assert set(table["bakery"]) == {ALL_CLIENTS}
    empty = table.drop(columns=["bakery", "cohort", "method", "wape"])
    assert empty.isna().all(axis=None)
    for method, found in zip(table["method"], table["wape"], strict=True):
        own = [float(t.loc[t["method"] == method, "wape"].iloc[0]) for t in run.own.values()]
        assert abs(found - np.mean(np.clip(own, 0, 1))) > 1e-6
    assert not (run.folder / "widths.json").exists()


def test_the_model_s_card_has_the_noise_and_what_it_spends(run: Deployed) -> None:
    """At the server with all scores that were opened; at a bakery's home with names and one score.

    Both are of the same model, and say what an epsilon is of.
    """
    there = json.loads((run.folder / CARD_FILE).read_text(encoding="utf-8"))
    homes = [*(run.folder.parents[1] / "homes").glob(f"*/{CARD_FILE}")]
    assert len(homes) == len(BAKERIES)
    at_home = json.loads(homes[0].read_text(encoding="utf-8"))
    for card in (there, at_home):
        assert (card["privacy"]["mode"], card["privacy"]["epsilon"]) == ("noise", 4.0)
        assert card["privacy"]["unit"] == "one bakery's day of training records"
        assert card["scores"]["validation"]["noise"] > 0
        assert card["data"]["product_days"] == "each bakery's own, which only that bakery knows"
    assert there["model"] == at_home["model"]
    methods = [row["method"] for row in there["scores"]["test"]]
    assert methods == [*NOISED_METHODS]
    assert all(row["noise"] > 0 for row in there["scores"]["test"])
    assert at_home["scores"]["test"] == []
    assert at_home["members"] == [{"name": name} for name in BAKERIES]
    assert " ± " in (run.folder / CARD_PAGE).read_text(encoding="utf-8")


def test_a_bakery_with_too_few_days_says_no_number(
    tables: Mapping[str, Path], tmp_path: Path
) -> None:
    """How many days it has stays in its own log."""
    short = tmp_path / "short.csv"
    rows = sales_of("Nordbrot").rows
    rows[rows["date"] >= rows["date"].max() - pd.Timedelta(days=20)].to_csv(short, index=False)
    nodes = own_tables({**tables, "Nordbrot": short}, tmp_path / "homes")
    messages: list[Message] = []
    with pytest.raises(FederationError):  # two are too few to go on
        captured(tmp_path / "out", nodes, changes={**AUTO, "round-timeout-s": 1}, into=messages)
    infos = [value_in(message.content) for message in messages if message.has_content()]
    notes = {info.note for info in infos if isinstance(info, ClientInfo) and not info.trains}
    assert len(notes) == 1
    assert not any(letter.isdigit() for letter in notes.pop())


def test_what_doesnt_go_with_noise_is_refused_with_the_way_out(
    tables: Mapping[str, Path], tmp_path: Path
) -> None:
    """An explicit aggregation isn't changed in silence: the operator reads what to set."""
    nodes = own_tables(tables, tmp_path / "homes")
    changes = AUTO | {"aggregation": "bagging", "leaf-values": "refit"}
    with pytest.raises(FederationError, match=r"grown on rows(.|\n)*privacy=sums opens sums as"):
        captured(tmp_path / "out", nodes, changes=changes)


def test_members_that_an_owner_doesnt_know_give_no_noise_that_she_relies_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """She knows three of five, fewer than two thirds: no vector of hers leaves."""
    federation, grid = deployed(
        tmp_path,
        policy={"trusted_members": "bakery 0,bakery 1,bakery 2"},
        homes=True,
        privacy="noise",
        aggregation="oblivious",
        learning_rate=0.0,
    )
    with pytest.raises(FederationError):
        federation.run()
    assert "found 3 contributors in a sum whose noise relies on 4 of 5" in caplog.text
    # The two others know themselves besides.
    assert {name for name, reply in grid.replies.items() if reply.vector} == {
        "bakery 3",
        "bakery 4",
    }


def test_a_bakery_without_a_home_refuses_and_the_server_is_told_why(
    tables: Mapping[str, Path], tmp_path: Path
) -> None:
    """There it would count what its days spend."""
    nodes = own_tables(tables, tmp_path / "homes")
    for node in nodes:
        del node["home"]
    with pytest.raises(FederationError, match="refuses: noise without a home for its ledger"):
        captured(tmp_path / "out", nodes, changes=AUTO)
