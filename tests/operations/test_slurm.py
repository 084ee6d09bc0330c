"""SLURM's commands, made up: what they are told, and what their answers mean."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest import mock

import pytest

from glean.errors import FederationError
from glean.operations.slurm import slurm
from glean.operations.slurm.slurm import (
    JobState,
    SlurmSilentError,
    cancel_job,
    job_profile,
    job_state,
    submit_job,
    why_no_slurm,
)
from tests import fake_slurm
from tests.fake_slurm import NUMBER, FakeSlurm


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """A made-up SLURM on the PATH."""
    found = FakeSlurm(tmp_path / "slurm", tmp_path / "a home")
    found.use(monkeypatch)
    return found


def test_a_command_is_submitted_as_it_is(cluster: FakeSlurm) -> None:
    """With its options, in this environment; SLURM begins it once only."""
    words = ["python", "-c", "print('a  \"b\" $HOME')"]
    job = submit_job(words, {"nodes": 2, "mem": "16G", "gpus": "mi300x:2"})
    assert (job.number, job.log) == (NUMBER, cluster.log)
    assert cluster.command == words
    for line in ("--nodes=2", "--mem=16G", "--gres=gpu:mi300x:2", "--cpus-per-task=4"):
        assert f"#SBATCH {line}\n" in cluster.script
    assert cluster.environment["SBATCH_NO_REQUEUE"] == "1"
    assert cluster.environment["VIRTUAL_ENV"] == sys.prefix


def test_a_refusal_is_slurm_s_own(cluster: FakeSlurm) -> None:
    """Its words are passed on."""
    cluster.refuses("sbatch: error: invalid partition specified: x")
    with pytest.raises(FederationError, match="isn't submitted: sbatch: error: invalid partition"):
        submit_job(["true"], {"partition": "x"})


def test_without_slurm_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command, or the script of a checkout."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "sbatch isn't on the PATH" in why_no_slurm()
    with pytest.raises(FederationError, match="login node"):
        submit_job(["true"], {})
    with mock.patch.object(slurm, "SUBMIT_SCRIPT", tmp_path / "submit-job.sh"):
        assert "wanted a checkout" in why_no_slurm()


@pytest.mark.usefixtures("cluster")
def test_nothing_is_missing_where_both_are() -> None:
    """Then there is nothing to say."""
    assert why_no_slurm() == ""


def test_a_job_stands_as_squeue_says(cluster: FakeSlurm) -> None:
    """With SLURM's reason, where it has one; it is asked for this job alone."""
    assert job_state(NUMBER) == JobState("PENDING", "Resources")
    cluster.stands("RUNNING")
    assert job_state(NUMBER) == JobState("RUNNING")
    assert all(f"--jobs={NUMBER}" in call for call in cluster.calls("squeue"))


def test_of_a_job_that_squeue_has_forgotten_the_accounting_knows(cluster: FakeSlurm) -> None:
    """If there is one; else nobody does."""
    cluster.fails(fake_slurm.FORGOTTEN)
    assert job_state(NUMBER) is None
    cluster.records("CANCELLED by 1000")
    assert job_state(NUMBER) == JobState("CANCELLED")


def test_no_answer_is_no_end(cluster: FakeSlurm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a controller that can't be reached, of a command that hangs or is gone."""
    cluster.fails(fake_slurm.UNREACHABLE)
    with pytest.raises(SlurmSilentError, match="Unable to contact"):
        job_state(NUMBER)
    cluster.fails(fake_slurm.UNREACHABLE, command="scancel")
    with pytest.raises(SlurmSilentError, match="Unable to contact"):
        cancel_job(NUMBER)
    (cluster.folder / "squeue").write_text("#!/bin/bash\nexec sleep 60\n")
    monkeypatch.setattr(slurm, "ANSWER_LIMIT_S", 0.2)
    with pytest.raises(SlurmSilentError, match="didn't end"):
        job_state(NUMBER)
    (cluster.folder / "squeue").unlink()
    monkeypatch.setenv("PATH", str(cluster.folder))
    with pytest.raises(SlurmSilentError, match="can't be run"):
        job_state(NUMBER)


def test_a_job_is_cancelled_by_its_number(cluster: FakeSlurm) -> None:
    """One that SLURM has forgotten has ended."""
    cancel_job(NUMBER)
    assert cluster.calls("scancel") == [str(NUMBER)]
    cluster.fails(
        "scancel: error: Kill job error on job id 42: Invalid job id specified", command="scancel"
    )
    cancel_job(NUMBER)


def test_gpus_have_a_profile_of_their_own() -> None:
    """Each of the files that `submit-job.sh` uses itself."""
    assert job_profile({"gpus": "1"}).name == "cluster-gpu.toml"
    assert job_profile({"nodes": 2}).name == "cluster-cpu.toml"
    assert all(job_profile(options).is_file() for options in ({"gpus": "1"}, {}))
