"""A federation served by one command: bakeries join, and what is killed goes on by itself."""

from __future__ import annotations

import re
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from glean.federation_folder import federation_folder
from glean.operations.running.cut_off_deployment import GOES_ON
from glean.runs.folder import read_events
from glean.runs.process_tree import end_tree
from glean.service.serving import initialise
from glean.service.settings import ServiceSettings
from tests import processes
from tests.inprocess_runs import facts_of
from tests.processes import BIN, free_port, wait_until
from tests.tables import random_table

pytestmark = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.usefixtures("nothing_left"),
]

NAMES = ("Hafen", "Markt", "Süd")
SETTINGS = {
    "num-server-rounds": 8,
    "max-depth": 3,
    "privacy": "sums",
    "min-contributors": 3,
    "test-days": 14,
    "validation-days": 14,
    "min-available-bakeries": 3,
    "baselines": "false",
}
LIMIT_S = 240.0


class Operator:
    """Who serves a federation in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.environment = processes.environment(
            folder / "flower", PYTHONPATH=str(processes.REPOSITORY), OMP_NUM_THREADS="1"
        )
        self.log = folder / "serve.log"

    @property
    def results(self) -> Path:
        """Its run folders."""
        return self.folder / "results"

    def start(self, *words: str | Path, log: Path) -> subprocess.Popen[bytes]:
        """Start a command of Glean's."""
        with log.open("ab") as output:
            return subprocess.Popen(
                [str(BIN / "python"), "-m", "glean", *map(str, words)],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def serve(self) -> subprocess.Popen[bytes]:
        """Serve, and wait until the SuperLink knows who the members are."""
        before = self.log.read_text() if self.log.exists() else ""
        words = ["serve", "--public", "localhost", "--port", str(self.port)]
        service = self.start(*words, log=self.log)
        wait_until(lambda: "invite" in self.log.read_text()[len(before) :], "a service")
        return service

    def invite(self, name: str) -> str:
        """Invite a bakery; the link."""
        done = processes.run(
            BIN / "python", "-m", "glean", "invite", name, cwd=self.folder, env=self.environment
        )
        found = re.search(r"https://\S+/join#\S+", done.stdout)
        assert found, done.stdout + done.stderr
        return found.group()

    def superlink(self) -> psutil.Process:
        """Its SuperLink's process."""
        for process in processes.descendants():
            words = process.cmdline()
            if any("superlink_process" in word for word in words[:4]):
                return process
        raise AssertionError("no SuperLink")


@contextmanager
def federation(
    folder: Path, names: Sequence[str] = NAMES
) -> Iterator[tuple[Operator, list[subprocess.Popen[bytes]]]]:
    """A service, and bakeries that have joined it."""
    operator, running = Operator(folder), list[subprocess.Popen[bytes]]()
    with ExitStack() as stack:

        def end_all() -> None:
            for process in running:
                if process.poll() is None:
                    end_tree(psutil.Process(process.pid))
                process.wait()

        stack.callback(end_all)
        running.append(operator.serve())
        for name, (_, rows) in zip(
            names, random_table(bakeries=len(names)).rows.groupby("bakery"), strict=True
        ):
            table = folder / f"{name}.csv"
            rows.drop(columns="bakery").to_csv(table, index=False)
            words: list[str | Path] = [
                "join",
                operator.invite(name),
                "--sales",
                table,
                "--home",
                folder / name,
            ]
            words += ["--privacy", "sums", "--min-contributors", "3", "--trust", "operator"]
            words += ["--share-scores", "yes", "--no-page", "--yes"]
            running.append(operator.start(*words, log=folder / f"{name}.log"))
        yield operator, running


def run_words(bakeries: int = len(NAMES)) -> list[str]:
    """Words that start a run of all of them."""
    settings = SETTINGS | {"min-available-bakeries": bakeries}
    given = [word for key, it in settings.items() for word in ("--set", f"{key}={it}")]
    return ["run", "bakeries", *given]


def rounds_of(run: Path) -> int:
    """How many rounds of a run have ended."""
    return sum(event["event"] == "round_finished" for event in read_events(run / "events.jsonl"))


def test_a_run_outlives_its_superlink_its_process_and_its_service(tmp_path: Path) -> None:
    """Each is killed once in a run of its own, and all make the model that nobody disturbed."""
    models: dict[str, bytes] = {}
    with federation(tmp_path) as (operator, running):
        for victim in ("nobody", "superlink", "process", "service"):
            log = tmp_path / f"run-{victim}.log"
            before = set(operator.results.glob("2*"))
            following = operator.start(*run_words(), log=log)
            running.append(following)

            def latest(known: set[Path] = before) -> Path | None:
                new = sorted(set(operator.results.glob("2*")) - known)
                return new[-1] if new else None

            if victim != "nobody":
                wait_until(
                    lambda: (run := latest()) is not None and rounds_of(run) >= 2,
                    "two rounds",
                    limit_s=LIMIT_S,
                )
                run = latest()
                assert run is not None
                if victim == "superlink":
                    operator.superlink().kill()
                elif victim == "process":
                    psutil.Process(facts_of(run)["process"]["pid"]).kill()
                else:
                    running[0].kill()
                    running[0].wait()
                    running[0] = operator.serve()
            assert following.wait(timeout=LIMIT_S) == 0, log.read_text()[-3000:]
            run = latest()
            assert run is not None
            models[victim] = (run / "model.ubj").read_bytes()
            assert ("goes on by itself" in log.read_text()) == (victim != "nobody")
    assert len(set(models.values())) == 1, {name: hash(model) for name, model in models.items()}
    assert federation_folder(operator.results).key_log.exists()


def test_a_run_of_the_control_room_goes_on_by_itself(tmp_path: Path) -> None:
    """Under the id that it was asked for by; the part that was cut off says that it was."""
    with federation(tmp_path) as (operator, _):
        token = initialise(ServiceSettings(results=operator.results))
        authority = federation_folder(operator.results).authority
        http = httpx2.Client(
            base_url=f"https://localhost:{operator.port}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            verify=ssl.create_default_context(cafile=authority),
            timeout=60,
        )
        body = {"engine": "deployment", "settings": SETTINGS | {"baselines": False}}
        run_id = http.post("/runs", json=body).json()["id"]

        def run() -> dict[str, Any]:
            found: dict[str, Any] = http.get(f"/runs/{run_id}").json()
            return found

        wait_until(lambda: run()["rounds_done"] >= 2, "two rounds", limit_s=LIMIT_S)
        first = run()["flower_id"]
        operator.superlink().kill()
        wait_until(lambda: run()["status"] != "running", "its end", limit_s=LIMIT_S)
        assert (run()["status"], run()["flower_id"] != first) == ("completed", True)
        listed = {row["id"]: row["reason"] for row in http.get("/runs").json()["runs"]}
        assert listed == {run_id: "", first: GOES_ON}
        assert http.get("/superlink").json()["restarts"] == 1
        http.close()
