"""`glean audit` of a run on pictures: a page, strips and figures of this very run, or a line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glean.images.conclusion import ImageConclusion
from glean.images.inversion import experiments
from glean.images.inversion.image_audit import AUDIT, inversions_of
from glean.runs.index import read_run
from tests.cli.typed_commands import glean

pytestmark = [pytest.mark.usefixtures("elsewhere"), pytest.mark.slow]

UPDATES = ["plain", "sum", "noise"]


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the runs' own figures."""
    monkeypatch.setattr(ImageConclusion, "write_report", lambda *_: None)


def simulated(elsewhere: Path, *changes: str) -> Path:
    """Simulate three clients with shapes; the run's folder."""
    settings = (
        "workload=images",
        "image-model=linear",
        "num-server-rounds=2",
        "baselines=false",
        "epsilon=8",
        *changes,
    )
    typed = [word for text in settings for word in ("--set", text)]
    result = glean("simulate", "--engine=inprocess", "--bakeries=3", *typed)
    assert result.exit_code == 0, result.output
    return (elsewhere / "results" / "latest").resolve()


def figures_of(run: Path) -> dict[str, Any]:
    """Figures of the audit of a run."""
    found: dict[str, Any] = json.loads((run / "audit.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("changes", [(), ("privacy=noise",), ("aggregation=fedadam",)])
def test_an_audit_leaves_a_page_strips_and_figures(
    changes: tuple[str, ...], elsewhere: Path
) -> None:
    """Of three updates each; pictures come out of a plain step, and none with noise."""
    run = simulated(elsewhere, *changes)
    result = glean("audit", run)
    assert result.exit_code == 0, result.output
    figures = figures_of(run)
    assert figures["same_round"] is True
    assert figures["privacy"] == ("noise" if "privacy=noise" in changes else "sums")
    findings = figures["findings"]
    assert [one["update"] for one in findings] == 3 * UPDATES
    assert [one["pictures_behind"] for one in findings[3:]] == [1, 3, 1, 8, 24, 8]
    assert findings[3]["recovered"] == 8
    assert all(one["recovered"] == 0 for one in findings if one["update"] == "noise")
    assert "With noise of epsilon 8 no picture came out." in result.stdout
    page = (run / "audit.html").read_text(encoding="utf-8")
    assert page.count('src="data:') == 3
    strips = sorted(path.name for path in (run / "figures").glob("inversion-*.png"))
    assert strips == ["inversion-round.png", "inversion-step-1.png", "inversion-step-8.png"]


def test_an_audit_repeats_and_speaks(elsewhere: Path) -> None:
    """The same figures again, to the byte, and the page in another language."""
    run = simulated(elsewhere)
    assert glean("audit", run).exit_code == 0
    first = (run / "audit.json").read_bytes()
    german = glean("audit", run, "--language", "de")
    assert german.exit_code == 0, german.output
    assert (run / "audit.json").read_bytes() == first
    assert "Bei Rauschen mit Epsilon 8 kam kein Bild heraus." in german.stdout
    page = (run / "audit.html").read_text(encoding="utf-8")
    assert "Was das nicht sagt" in page
    assert "recovered" not in page.split("<main>")[1]


def test_another_first_round_is_noticed(elsewhere: Path) -> None:
    """The attacks would be on what nobody sent."""
    run = simulated(elsewhere)
    path = run / "models" / "round_001.npz"
    shutil.copy(run / "models" / "round_002.npz", path)
    result = glean("audit", run)
    assert result.exit_code == 2
    assert "another model after the first round" in result.stderr
    path.unlink()
    result = glean("audit", run)
    assert result.exit_code == 2
    assert "found no models/round_001.npz" in result.stderr


def test_a_round_that_is_not_of_all_is_said_not_to_be_compared(elsewhere: Path) -> None:
    """Where not all clients train in a round."""
    run = simulated(elsewhere, "fraction-train=0.5")
    result = glean("audit", run)
    assert result.exit_code == 0, result.output
    assert figures_of(run)["same_round"] is False
    assert "nothing says that it is the same" in (run / "audit.html").read_text(encoding="utf-8")


def test_where_a_round_is_one_step_it_is_that_step(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of as many pictures as a batch has, which come out then."""
    run = simulated(elsewhere, "local-steps=1", "batch-size=1", "partitioner=iid")
    monkeypatch.setattr(experiments, "_single_step", lambda *_: experiments.Experiment(1, ()))
    stored = read_run(run)
    plain, whole, noise = inversions_of(stored, AUDIT.check(stored), lambda _: None).found[0].cases
    assert (plain.behind, whole.behind) == (1, 3)
    assert plain.recovery.recovered == 1
    assert plain.recovery.likeness > 0.999
    assert noise.recovery.recovered == 0
    assert np.isfinite(whole.recovery.likeness)
