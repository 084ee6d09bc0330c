"""A run goes to the registry: what isn't there yet, in order, each thing once.

Each step is written down once the server has answered. Where no answer came, the next look finds by
the tag of the run what was made all the same; the rest can be sent twice without becoming two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from glean.registry.model_package import can_be_served, write_package
from glean.registry.model_uri import CANDIDATE
from glean.registry.progress_file import SendProgress
from glean.registry.registry_address import UnknownToRegistryError
from glean.registry.run_content import (
    card_page_of,
    files_of,
    final_metrics,
    has_ended,
    params_of,
    round_metrics,
    run_id_of,
    tags_of,
    time_ms,
    workload_of,
)
from glean.registry.system_metrics import read_samples, system_metrics
from glean.registry.tracking_server import (
    MOST_METRICS,
    RUN_TAG,
    SentMetric,
    TrackingServer,
    scratch_folder,
)
from glean.runs.folder import read_events
from glean.runs.index import COMPLETED, StoredRun, read_run

EXPERIMENT = "glean"
MODEL_FOLDER, RESULTS_FOLDER = "model", "results"

LONGEST_DESCRIPTION = 4900
"""Characters; MLflow's database has room for 5,000."""

PackageWriter = Callable[[StoredRun, Path], None]


class RunSender:
    """Sends one run.

    Parameters
    ----------
    server : TrackingServer
        Where to.
    folder : Path
        The run's folder.
    model : str
        Name of the registered model.
    write_model : callable, optional
        Writes what is registered into a folder: by default a model that MLflow can load.
    """

    def __init__(
        self,
        server: TrackingServer,
        folder: Path,
        *,
        model: str,
        write_model: PackageWriter | None = None,
    ) -> None:
        self._server = server
        self._folder = folder
        self._model = model
        self._write_model = write_model or write_package
        self._run_id = run_id_of(folder)
        self._progress = SendProgress.read(folder, address=server.address, model=model)

    def send(self) -> bool:
        """Send what isn't there yet.

        Returns
        -------
        bool
            Whether that was all: the run has ended, and the registry has it.

        Raises
        ------
        RegistryDownError
            The registry doesn't answer: some of it may be there.
        RegistryRefusedError
            It won't have it.
        """
        if self._progress.done:
            return True
        try:
            return self._send()
        except UnknownToRegistryError:
            # It lost the run, or what somebody deleted there is gone for good: sent anew. What
            # is deleted there and can be brought back it refuses.
            anew = SendProgress(self._progress.server, self._progress.model)
            if self._progress == anew:
                raise
            self._progress = anew
            return self._send()

    def _send(self) -> bool:
        run = read_run(self._folder)
        self._begin(run)
        self._send_rows(run)
        if not has_ended(run):
            return False
        self._send_end(run)
        if run.status == COMPLETED and can_be_served(run):
            self._register(run)
        self._settle(run)
        return True

    def _begin(self, run: StoredRun) -> None:
        progress = self._progress
        if not progress.run:
            experiment = self._server.experiment(EXPERIMENT)
            found = self._server.find_runs(experiment, self._run_id)
            made = found or [
                self._server.create_run(
                    experiment,
                    name=self._folder.name,
                    start_ms=time_ms(run.facts.get("start")),
                    tags={RUN_TAG: self._run_id},
                )
            ]
            self._note(run=made[0])
        if not progress.settings:
            self._server.log(progress.run, params=params_of(run), tags=tags_of(run))
            self._note(settings=True)

    def _send_rows(self, run: StoredRun) -> None:
        """Send rounds and samples that came since."""
        rows = read_events(run.folder / "events.jsonl")
        self._send_metrics(round_metrics(rows[self._progress.events :]))
        self._note(events=len(rows))
        samples = read_samples(run.folder)
        metrics = system_metrics(samples)
        self._send_metrics([each for each in metrics if each.step >= self._progress.samples])
        self._note(samples=len(samples))

    def _send_metrics(self, metrics: Sequence[SentMetric]) -> None:
        for first in range(0, len(metrics), MOST_METRICS):
            self._server.log(self._progress.run, metrics=metrics[first : first + MOST_METRICS])

    def _send_end(self, run: StoredRun) -> None:
        if not self._progress.final:
            self._server.log(self._progress.run, metrics=final_metrics(run), tags=tags_of(run))
            self._note(final=True)
        sent = self._progress.sent_files
        for name in files_of(run):
            if name in sent:
                continue
            place = Path(RESULTS_FOLDER) / Path(name).parent
            self._server.put_file(self._progress.run, run.folder / name, place.as_posix())
            sent = [*sent, name]
            self._note(sent_files=sent)

    def _register(self, run: StoredRun) -> None:
        """Make the run's model a version, one for a run, and the candidate if it is the newest."""
        progress, server = self._progress, self._server
        if not progress.package:
            with scratch_folder() as scratch:
                self._write_model(run, scratch / MODEL_FOLDER)
                server.put_folder(progress.run, scratch / MODEL_FOLDER, MODEL_FOLDER)
            self._note(package=True)
        if not progress.version:
            server.ensure_model(self._model)
            found = server.find_versions(self._model, self._run_id)
            self._note(version=found[0] if found else self._create_version(run))
        newest = server.version_at(self._model, CANDIDATE)
        if newest is None or newest.number < progress.version:
            server.set_alias(self._model, CANDIDATE, progress.version)

    def _create_version(self, run: StoredRun) -> int:
        description = card_page_of(run.folder)
        if len(description) > LONGEST_DESCRIPTION:
            rest = "\n\n(The rest is in the file of the card, among the artifacts of the run.)"
            description = description[: LONGEST_DESCRIPTION - len(rest)] + rest
        return self._server.create_version(
            self._model,
            run=self._progress.run,
            folder=MODEL_FOLDER,
            tags={RUN_TAG: self._run_id, "glean.workload": workload_of(run)},
            description=description,
        )

    def _settle(self, run: StoredRun) -> None:
        """End the run, and delete what a request made that was given up and heard all the same."""
        progress, server = self._progress, self._server
        if progress.version:
            for number in server.find_versions(self._model, self._run_id):
                if number != progress.version:
                    server.delete_version(self._model, number)
        for other in server.find_runs(server.experiment(EXPERIMENT), self._run_id):
            if other != progress.run:
                server.delete_run(other)
        status = "FINISHED" if run.status == COMPLETED else "FAILED"
        server.end_run(progress.run, status=status, end_ms=time_ms(run.facts.get("end")))
        self._note(done=True)

    def _note(self, **steps: str | int | bool | list[str]) -> None:
        changed = {name: value for name, value in steps.items() if _of(self._progress, name, value)}
        if changed:
            vars(self._progress).update(changed)
            self._progress.write(self._folder)


def _of(progress: SendProgress, name: str, value: object) -> bool:
    return bool(getattr(progress, name) != value)
