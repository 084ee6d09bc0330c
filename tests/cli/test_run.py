"""`glean run` whose run can't be followed to its end: what is known, and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest

from glean.errors import FederationError
from glean.federation.launch.deployment_run import RunOutcome
from tests.cli.typed_commands import glean

RUN = 77
DEPLOYMENT = "glean.operations.running.superlink_run"


class StandIn:
    """Flower's commands, of which only the start of a run is asked for."""

    def submit(self, *_: object, **__: object) -> int:
        return RUN


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize("results", [Path("/srv/glean/results/20260101T000000Z-77"), None])
def test_a_run_that_is_lost_sight_of_can_be_continued(
    results: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How to follow it, to end it, and to resume it, by its folder where that was said."""

    def lost(*_: object, outcome: RunOutcome, **__: object) -> NoReturn:
        outcome.results = results
        raise FederationError("the SuperLink doesn't answer")

    def nothing(*_: object) -> dict[str, Any]:
        return {}

    monkeypatch.setattr(f"{DEPLOYMENT}.find_connection", nothing)
    monkeypatch.setattr(f"{DEPLOYMENT}.check_reachable", nothing)
    monkeypatch.setattr(f"{DEPLOYMENT}.flwr_cli_of", lambda *_: StandIn())
    monkeypatch.setattr(f"{DEPLOYMENT}.follow_run", lost)
    result = glean("run", "bakeries")
    assert result.exit_code == 1, result.output
    said = " ".join(result.stderr.split())
    assert "lost sight of the run: the SuperLink doesn't answer" in said
    assert f"flwr log {RUN} bakeries --stream" in said
    assert f"glean run bakeries --resume {results or 'FOLDER'}" in said
