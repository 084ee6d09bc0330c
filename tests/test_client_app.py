from __future__ import annotations

from pathlib import Path

import pandas as pd
from flwr.app import Message

from glean.client_app import app, forget_clients
from glean.federation.client.client import client_of
from glean.federation.grids.inprocess import InProcessGrid, as_server
from glean.federation.wire.messages import InfoRequest
from glean.node_settings import NodeSettings
from glean.runs.code_version import code_fingerprint
from glean.settings import RunSettings
from tests.tables import random_table


def test_what_goes_wrong_at_a_bakery_is_said_there_only(tmp_path: Path) -> None:
    """Neither the path of a bakery's own table nor a value in it reaches the server."""
    path = tmp_path / "secret shop.csv"
    path.write_text("date,bakery,product,units\n2024-01-01,Anna,rolls,1234x\n", encoding="utf-8")
    grid = InProcessGrid(app, [{"sales": str(path)}], {}, run_id=1)
    with as_server(grid):
        (node,) = grid.get_node_ids()
        record = InfoRequest(newcomer=False).to_record()
        (reply,) = grid.send_and_receive([Message(record, node, "query")])
    assert reply.has_error()
    reason = reply.error.reason or ""
    assert "SalesError at the bakery" in reason
    for secret in ("secret", "1234", "rolls", str(tmp_path)):
        assert secret not in reason


def test_a_server_of_other_code_is_refused_before_the_table_is_opened(tmp_path: Path) -> None:
    """Both versions are named to the server; the table isn't even there."""
    grid = InProcessGrid(app, [{"sales": str(tmp_path / "none.csv")}], {}, run_id=1)
    with as_server(grid):
        (node,) = grid.get_node_ids()
        record = InfoRequest(newcomer=False, code="0123456789abcdef").to_record()
        (reply,) = grid.send_and_receive([Message(record, node, "query")])
    reason = reply.error.reason or ""
    assert "other code of Glean (0123456789abcdef)" in reason
    assert code_fingerprint() in reason
    assert "SalesError" not in reason


def test_a_lasting_process_reads_a_table_that_has_grown(tmp_path: Path) -> None:
    """Once its clients are forgotten, as before each run."""
    path = tmp_path / "shop.csv"
    rows = random_table(days=90).rows.drop(columns="bakery")
    node = NodeSettings(sales=str(path), bakery="Hafen")
    newest = []
    for days in (60, 80):
        rows[rows["date"] < rows["date"].min() + pd.Timedelta(days=days)].to_csv(path, index=False)
        forget_clients()
        client = client_of(node, RunSettings())
        assert client is not None
        newest.append(client.newest)
    assert newest[0] < newest[1]
