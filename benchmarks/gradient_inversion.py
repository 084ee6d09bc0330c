"""What comes out of updates on pictures by gradient inversion: plain, summed, and with noise.

`python -m benchmarks.gradient_inversion` (options: --only NAME,NAME; --out FOLDER for the strips)
with the folder that GLEAN_TABLES names, in which lies `images/mnist.npz`; drawn shapes need none.
It is what `glean audit` does with a run on pictures, without making the run: of the first round as
it went, and of single steps on one picture and on eight. Noise is for epsilon 8 at delta 1e-5 over
the run's 20 rounds. It ends with 1 where on MNIST no digit comes out of plain updates, or one out
of updates with noise.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from glean.images.inversion.audit_page import strips_of
from glean.images.inversion.experiments import NOISE, PLAIN, Experiment, experiments, whole_round
from glean.images.inversion.first_round import FirstRound
from glean.languages.language import ENGLISH
from glean.runs.index import StoredRun
from glean.settings import ConfigValue, RunSettings

MNIST = "images/mnist.npz"


@dataclass(frozen=True)
class Audited:
    """A simulation whose first round is attacked.

    Parameters
    ----------
    name : str
        As it is printed.
    images : str
        Below the folder of tables; empty: drawn shapes.
    clients : int
        How many there are.
    changes : mapping of str to setting
        What differs from the defaults.
    """

    name: str
    images: str
    clients: int
    changes: Mapping[str, ConfigValue] = field(default_factory=dict)


AUDITED = (
    Audited("shapes-linear", "", 5, {"image-model": "linear"}),
    Audited("shapes-cnn", "", 5),
    Audited("mnist-linear", MNIST, 10, {"image-model": "linear"}),
    Audited("mnist-cnn", MNIST, 10),
)


def main() -> int:
    """Print a row an update; 1 where MNIST doesn't show what is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=",".join(one.name for one in AUDITED))
    parser.add_argument("--out", type=Path, help="folder for the strips")
    asked = parser.parse_args()
    tables = Path(os.environ.get("GLEAN_TABLES", ""))
    missed = False
    print(
        f"{'':15}{'attacked':>12}{'update':>8}{'clients':>9}{'behind':>8}{'recovered':>11}"
        f"{'chance':>8}{'likeness':>10}{'chance':>8}{'mean':>7}{'other':>7}{'seconds':>9}"
    )
    for one in AUDITED:
        if one.name in asked.only.split(",") and (tables / one.images).exists():
            missed |= _show(one, tables, asked.out)
    return int(missed)


def _show(audited: Audited, tables: Path, out: Path | None) -> bool:
    """Attack it, print its rows, and say whether it misses what is wanted."""
    config: dict[str, ConfigValue] = {"workload": "images", "epsilon": 8.0, "delta": 1e-5}
    if audited.images:
        config["images"] = str(tables / audited.images)
    settings = RunSettings.from_config(config | dict(audited.changes))
    stored = StoredRun(Path(audited.name), {"nodes": audited.clients})
    begin, used = time.perf_counter(), time.process_time()
    first = FirstRound.of(stored, settings)
    whole = whole_round(first)
    found = []
    for one in experiments(first, whole, lambda _: None):
        found.append(one)
        _print(audited.name, one)
    wall, cpu = time.perf_counter() - begin, time.process_time() - used
    print(f"{audited.name:15}{wall:.0f} s, {cpu:.0f} s of CPU", flush=True)
    if out is not None:
        for picture in strips_of(found, ENGLISH):
            (out / f"{audited.name}-{picture.name}.png").write_bytes(picture.png)
    hits = {case.update for one in found for case in one.cases if case.recovery.significant}
    return bool(audited.images) and (PLAIN not in hits or NOISE in hits)


def _print(name: str, one: Experiment) -> None:
    attacked = f"step on {one.pictures}" if one.pictures else "round"
    for case in one.cases:
        found = case.recovery
        print(
            f"{name:15}{attacked:>12}{case.update:>8}{case.clients:9}{case.behind:8}"
            f"{f'{found.recovered} of {found.tried}':>11}{found.chance:8.2f}"
            f"{found.likeness:10.2f}{found.chance_likeness:8.2f}{found.mean_likeness:7.2f}"
            f"{found.other_likeness:7.2f}{case.seconds:9.0f}",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
