"""The process that `simulation_process` starts: it runs one simulation and says how it went.

It is given a scratch folder: `request.json` says what to run; the run's id goes into `run-id`, and
what kept it from running into `error`.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from glean.errors import GleanError
from glean.federation.launch.simulation_run import Simulation
from glean.operations.running.simulation import PreparedSimulation, run_simulation
from glean.operations.signals import raised_as_interrupts
from glean.runs.folder import write_whole

REQUEST, RUN_ID, ERROR = "request.json", "run-id", "error"


def write_request(scratch: Path, prepared: PreparedSimulation) -> None:
    """Write what shall be run."""
    content = asdict(prepared)
    content["simulation"]["results"] = str(prepared.simulation.results)
    write_whole(scratch / REQUEST, json.dumps(content).encode())


def read_request(scratch: Path) -> PreparedSimulation:
    """Read what `write_request` wrote."""
    content = json.loads((scratch / REQUEST).read_text(encoding="utf-8"))
    simulation = content.pop("simulation")
    results = Path(simulation.pop("results"))
    return PreparedSimulation(simulation=Simulation(results=results, **simulation), **content)


def main(scratch: Path) -> int:
    """Run the simulation; the exit code is 0 unless it couldn't be run to an end."""

    def started(run_id: int) -> None:
        write_whole(scratch / RUN_ID, str(run_id).encode())

    try:
        with raised_as_interrupts():
            run_simulation(read_request(scratch), started)
    except GleanError as error:
        write_whole(scratch / ERROR, str(error).encode())
        return 1
    except KeyboardInterrupt:
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
