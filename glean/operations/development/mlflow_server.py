"""MLflow's server, of whichever Python has the whole of MLflow; Glean's has its client at most."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from glean.errors import FederationError, GleanError
from glean.installed_packages import check_installed
from glean.operations.development.part import Part, Wait, free_port
from glean.operations.development.started_server import wait_for_port
from glean.operations.rehearsal.scene import Scene

STAND_IN = Part("registry", "the versions of the model in the results")
VARIABLE = "GLEAN_MLFLOW"
"""Names the program `mlflow` where it isn't on PATH."""


def start_mlflow(scene: Scene) -> Wait:
    """Start one; what comes back waits until it answers.

    Raises
    ------
    FederationError
        It can't be had here; says why.
    """
    try:
        check_installed("mlflow", extra="mlflow")
    except GleanError as error:
        raise FederationError(str(error)) from error
    program = shutil.which(os.environ.get(VARIABLE) or "mlflow")
    if program is None:
        raise FederationError(f"found no mlflow, neither on PATH nor by {VARIABLE}")
    folder, port = scene.folder / "mlflow", free_port()
    folder.mkdir()
    words = [program, "server", "--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    words += ["--artifacts-destination", str(folder / "artifacts"), "--workers", "1"]
    words += ["--host", "127.0.0.1", "--port", str(port)]
    # It starts other programs of its own Python by name.
    path = f"{Path(program).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # processes beside it that nobody needs here
        "PATH": path,
        "PYTHONPATH": "",  # nothing of this Python's is to be found there
    }
    process = scene.start_program("MLflow", words, environment=environment)
    address = f"http://127.0.0.1:{port}"
    part = Part("registry", f"MLflow at {address}", address)
    return lambda: wait_for_port(process, port, part)
