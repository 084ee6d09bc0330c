from __future__ import annotations

from pathlib import Path

from flwr.app import Message

from glean.client_app import app
from glean.federation.grids.inprocess import InProcessGrid, as_server
from glean.federation.wire.messages import InfoRequest


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
