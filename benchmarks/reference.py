"""The reference jobs, whole: WAPE of every method on the test windows, in both modes of privacy.

Run `python -m benchmarks.reference [--engine ray|inprocess] [JOB...]`; without names all jobs run
whose tables are here (GLEAN_TABLES). A name may be followed by settings: `chain max-depth=4`.
Each job runs in mode "sums", and once more with `privacy=noise`, unless the settings say which.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.jobs import JOBS, Job
from glean.evaluation.tables.results import read_results
from glean.evaluation.tables.summary import summarise


def run_job(job: Job, engine: str, scratch: Path, *settings: str) -> Path:
    """Run a job by `glean simulate`; its run folder."""
    config = job.settings(scratch).to_config()
    words = [f"--set={word}" for word in (*job.overrides, *settings)]
    if config["sales"]:
        words.append(f"--sales={config['sales']}")
    out = scratch / f"{job.name}-{engine}"
    glean = str(Path(sys.executable).with_name("glean"))
    command = [glean, "simulate", f"--engine={engine}", f"--bakeries={job.bakeries}"]
    subprocess.run([*command, f"--out={out}", *words], check=True, capture_output=True)
    return (out / "latest").resolve()


BOTH_MODES = ("federated", "chosen")
"""Methods that the mode of privacy moves, of which both figures are shown."""


def scores(run: Path) -> dict[str, float]:
    """WAPE by method over all bakeries, and that of the best possible forecast."""
    results = read_results(run)
    assert results.scores is not None, "a completed run has scores"
    summary = summarise(results.scores, truth=results.truth)
    found = {method.method: method.everyone.wape for method in summary.methods}
    if results.truth is not None:
        found["best possible"] = results.truth["abs_error"].sum() / results.truth["units"].sum()
    return found


def scores_of_modes(job: Job, engine: str, scratch: Path, *settings: str) -> dict[str, float]:
    """WAPE by method in mode "sums", or the settings' own; "noise: METHOD" by `BOTH_MODES`."""
    found = scores(run_job(job, engine, scratch, *settings))
    if not any(word.startswith(("privacy=", "aggregation=")) for word in settings):
        noised = scores(run_job(job, engine, scratch, *settings, "privacy=noise"))
        found |= {f"noise: {method}": noised[method] for method in BOTH_MODES}
    return found


def main() -> None:
    """Print a row a job."""
    words = sys.argv[1:]
    engine = "inprocess"
    if words[:1] == ["--engine"]:
        engine, words = words[1], words[2:]
    settings = [word for word in words if "=" in word]
    names = [word for word in words if "=" not in word]
    names = names or [name for name, job in JOBS.items() if job.available()]
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name in names:
            rows[name] = scores_of_modes(JOBS[name], engine, Path(scratch), *settings)
    print(f"WAPE on the test windows, engine {engine}, settings {settings or 'default'}")
    print(pd.DataFrame(rows).T.to_string(float_format="%.3f", na_rep="-"))


if __name__ == "__main__":
    main()
