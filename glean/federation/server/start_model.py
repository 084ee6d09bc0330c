"""What a run begins with: nothing, a model to go on from, or another run's last checkpoint."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flwr.serverapp import Grid

from glean.errors import GleanError, ModelError, SettingsError
from glean.federation.coordination.cohort_memory import FILE as COHORTS_FILE
from glean.federation.coordination.global_model import GlobalModel, read_global_model
from glean.federation.coordination.groups import FILE as GROUPS_FILE
from glean.federation.server.checkpoint import Checkpoint, read_checkpoint, take_over
from glean.federation.server.interrupted_run import check_same_settings
from glean.federation.server.kept_leaves import FILE as LEAVES_FILE
from glean.federation.server.training_state import TrainingState
from glean.privacy.model_key import ModelKey, check_model_file
from glean.regular_files import absolute_path, read_regular
from glean.runs.folder import RunFolder
from glean.settings import ConfigValue, RunSettings

LOG = logging.getLogger("glean")

POLL_S = 0.5


@dataclass(frozen=True)
class StartModel:
    """What a run begins with.

    Parameters
    ----------
    model : GlobalModel or None
        The model of `start-from`.
    checkpoint : Checkpoint or None
        Of the run of `resume`.
    """

    model: GlobalModel | None
    checkpoint: Checkpoint | None

    @property
    def state(self) -> TrainingState | None:
        """Where the interrupted run was; None where the first round is still to come."""
        return self.checkpoint.state if self.checkpoint else None

    @property
    def spec(self) -> str:
        """The spec that the rounds so far were run on; "" where there is no model yet."""
        model = self.state.model if self.state else self.model
        return model.spec if model else ""

    def wait_for_nodes(self, grid: Grid, *, timeout_s: float) -> None:
        """Wait until as many nodes are connected as the interrupted run knew, or the time is up.

        After a server died its nodes come back one by one; without one of them the model would
        become another.
        """
        wanted = self.checkpoint.bakeries if self.checkpoint else 0
        deadline = time.monotonic() + timeout_s
        while (found := len(list(grid.get_node_ids()))) < wanted:
            if time.monotonic() > deadline:
                LOG.warning("goes on with %d nodes; the interrupted run had %d", found, wanted)
                return
            time.sleep(POLL_S)


def take_start_model(
    settings: RunSettings, folder: RunFolder, *, key: ModelKey | None = None
) -> StartModel:
    """Read what the run begins with; what an interrupted run left is taken over into its folder.

    Raises
    ------
    FederationError, SettingsError
        As `read_start_model`.
    """
    found = read_start_model(settings, key=key)
    if found.checkpoint is not None:
        take_over(found.checkpoint, folder)
        for run in (found.checkpoint.run, Path(settings.resume)):
            take_opened(run, folder)
    return found


def take_opened(run: Path, folder: RunFolder) -> None:
    """Take over of whom an interrupted run had opened what, in which groups, and its leaves."""
    for name in (COHORTS_FILE, LEAVES_FILE, GROUPS_FILE):
        if (run / name).is_file():
            folder.write_bytes(name, (run / name).read_bytes())


def read_start_model(settings: RunSettings, *, key: ModelKey | None = None) -> StartModel:
    """Read what a run with these settings begins with.

    Parameters
    ----------
    settings : RunSettings
        The run's.
    key : ModelKey, optional
        Whose signature the model of `start-from` must have.

    Raises
    ------
    FederationError
        There is no run that can be continued.
    SettingsError
        The run to continue had other settings, or the model to start from doesn't fit these.
    """
    if not settings.resume:
        return StartModel(read_start(settings, key=key), None)
    checkpoint = read_checkpoint(Path(settings.resume))
    check_same_settings(checkpoint.facts, settings.to_config())
    start = checkpoint.start if checkpoint.state else read_start(settings, key=key)
    return StartModel(start, checkpoint)


def read_start(settings: RunSettings, *, key: ModelKey | None = None) -> GlobalModel | None:
    """Read the model of `start-from`; None where there is none.

    Raises
    ------
    SettingsError
        It can't be read, isn't signed as it must be, or a run with these settings can't go on from
        it.
    """
    path = settings.start_from
    if not path:
        return None
    content = _start_file(Path(path), key)
    try:
        return read_global_model(content, settings)
    except ModelError as error:
        raise SettingsError(
            f"start-from: {path}: {error}; wanted the model of a run with the same aggregation, "
            "objective, horizon-days and covariates"
        ) from error


def _start_file(path: Path, key: ModelKey | None) -> bytes:
    """Read the file of `start-from`; who signed it is checked before it is read."""
    try:
        content = read_regular(path)
    except OSError as error:
        raise SettingsError(
            f"start-from: {path} can't be read ({error.strerror}); wanted the absolute path of a "
            "model file, like model.ubj of a run's folder"
        ) from error
    try:
        check_model_file(path, content, key)
    except GleanError as error:
        hint = ", the server's own: `glean model-card FILE --sign KEY` signs a file that you trust"
        raise SettingsError(f"start-from: {error}{hint if key else ''}") from error
    return content


def resolve_paths(config: Mapping[str, ConfigValue]) -> dict[str, ConfigValue]:
    """Make the paths of `resume` and `start-from` absolute, before `results/latest` moves on."""
    given = {key: config[key] for key in ("resume", "start-from") if config.get(key)}
    resolved = {
        key: str(absolute_path(Path(path))) for key, path in given.items() if type(path) is str
    }
    return {**config, **resolved}
