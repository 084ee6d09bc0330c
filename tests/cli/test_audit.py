"""`glean audit` as typed: a page and figures of a run that can be repeated, else a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from glean.features.bakery_rows import bakery_rows_of
from tests.cli.typed_commands import glean, simulate
from tests.tables import random_table

pytestmark = pytest.mark.usefixtures("elsewhere", "undrawn")


def simulated(elsewhere: Path, **changes: str) -> Path:
    """Simulate three bakeries with a table of theirs; the run's folder."""
    table = elsewhere / "sales.csv"
    random_table(bakeries=3, days=60, products=1, closed_weekday=None).rows.to_csv(
        table, index=False
    )
    result = simulate("--sales", table, leaf_values="refit", **changes)
    assert result.exit_code == 0, result.output
    return (elsewhere / "results" / "latest").resolve()


@pytest.mark.slow
def test_an_audit_leaves_a_page_and_figures(elsewhere: Path) -> None:
    """Of this very run: the model was made again to the byte; and what it prints is on the page."""
    run = simulated(elsewhere)
    result = glean("audit", run)
    assert result.exit_code == 0, result.output
    figures = json.loads((run / "audit.json").read_text(encoding="utf-8"))
    page = (run / "audit.html").read_text(encoding="utf-8")
    assert figures["same_model"] is True
    assert len(figures["attacked"]) == 3
    assert {one["player"] for one in figures["findings"]} == {"server", "member"}
    assert figures["membership"]["days"] > 0
    gist = [line for line in result.stdout.splitlines() if not line.startswith(("page", "figures"))]
    assert gist
    assert all(line.replace("'", "&#x27;") in page for line in gist)


def test_a_table_that_is_another_now_is_noticed(elsewhere: Path) -> None:
    """The attacks would be on what this run's server never received."""
    run = simulated(elsewhere)
    random_table(bakeries=3, days=60, products=1, closed_weekday=None, seed=1).rows.to_csv(
        elsewhere / "sales.csv", index=False
    )
    bakery_rows_of.cache_clear()  # the command is another process
    result = glean("audit", run)
    assert result.exit_code == 2
    assert "the table has changed since; simulate anew" in result.stderr
    (elsewhere / "sales.csv").unlink()
    result = glean("audit", run)
    assert result.exit_code == 2
    assert "sales.csv" in result.stderr
    assert not (run / "audit.json").exists()


STORED: dict[str, Any] = {"status": "completed", "engine": "inprocess", "nodes": 3, "settings": {}}

REFUSED = [
    ({"status": "failed", "reason": "no disk"}, "a run that is failed (no disk); wanted one that"),
    ({"status": "running"}, "found a run that is running; wanted one that has completed"),
    ({"engine": "deployment"}, "Audit a simulation with the same settings"),
    ({"settings": {"workload": "iris"}}, "found a run of the workload iris"),
    ({"settings": {"workload": "images", "privacy": "dp-fedavg"}}, "found privacy=dp-fedavg"),
    ({"settings": {"workload": "images"}, "nodes": None}, "found no number of clients"),
    ({"settings": {"resume": "/old"}}, "wanted one that began anew"),
    ({"nodes": None}, "found no number of bakeries"),
    ({"settings": {"aggregation": "cyclic"}}, "found aggregation=cyclic"),
    ({"settings": {"leaf-values": "scaled"}}, "with leaf-values=scaled"),
    ({"settings": {"objective": "count:poisson"}}, "found objective=count:poisson"),
]


@pytest.mark.parametrize(("changes", "told"), REFUSED)
def test_what_can_t_be_audited_is_refused(
    changes: dict[str, Any], told: str, elsewhere: Path
) -> None:
    """In a line that says what was found."""
    (elsewhere / "run.json").write_text(json.dumps(STORED | changes))
    result = glean("audit", elsewhere)
    assert result.exit_code == 2
    assert told in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow
def test_an_audit_of_the_demand_speaks_english(elsewhere: Path) -> None:
    """And says so before anything is made again."""
    result = glean("audit", simulated(elsewhere), "--language", "fr")
    assert result.exit_code == 2
    assert "--language: found 'fr'" in result.stderr


def test_a_folder_that_is_no_run_s_is_refused(elsewhere: Path) -> None:
    """By what it lacks."""
    result = glean("audit", elsewhere / "none")
    assert result.exit_code == 2
    assert "found no run.json" in result.stderr
