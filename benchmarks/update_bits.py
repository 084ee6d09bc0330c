"""Bytes that clients send against accuracy, by the bits of each number of an update.

`python -m benchmarks.update_bits` (options: --bits 64,16,12,8,6, --clients 5, --rounds 8, --set
KEY=TEXT, --picture FILE) trains the pictures that need no file, shapes in noise, once for each
number of bits, masked. Accuracy is on all validation pictures after each round. It ends with 1
where 16 bits cost more than a point, or save less than 60% of the bytes.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.jobs import ROOT


def main() -> int:
    """Print a row for each number of bits, and draw the picture if one is wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bits", default="64,16,12,8,6")
    parser.add_argument("--clients", default="5")
    parser.add_argument("--rounds", default="8")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=TEXT")
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    print(f"{'bits':>5}{'kB up a client and round':>26}{'accuracy':>10}")
    curves: dict[int, pd.DataFrame] = {}
    for bits in map(int, asked.bits.split(",")):
        changes = {"update-bits": str(bits), "num-server-rounds": asked.rounds}
        changes |= dict(text.split("=", 1) for text in asked.set)
        curves[bits] = _curve(changes, int(asked.clients))
        each = curves[bits]["MB"].iloc[-1] * 1e3 / int(asked.clients) / len(curves[bits])
        print(f"{bits:5}{each:26.1f}{curves[bits]['accuracy'].iloc[-1]:10.4f}", flush=True)
    if asked.picture:
        asked.picture.write_bytes(_drawn_curves(curves))
    if not {64, 16} <= curves.keys():
        return 0
    whole, few = (curves[bits].iloc[-1] for bits in (64, 16))
    return int(few["accuracy"] < whole["accuracy"] - 0.01 or few["MB"] > 0.4 * whole["MB"])


def _curve(changes: dict[str, str], clients: int) -> pd.DataFrame:
    given = {"workload": "images", "image-model": "cnn-small", "privacy": "sums"}
    given |= {"baselines": "false", **changes}
    texts = [word for key, text in given.items() for word in ("--set", f"{key}={text}")]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "glean", "simulate", "--engine=inprocess"]
        command += [f"--bakeries={clients}", f"--out={out}", *texts]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        rounds = pd.read_csv(Path(out) / "latest" / "rounds.csv")
    return pd.DataFrame({"MB": rounds["bytes_up"].cumsum() / 1e6, "accuracy": rounds["accuracy"]})


def _drawn_curves(curves: dict[int, pd.DataFrame]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    cell = figure.subplots()
    for bits, curve in curves.items():
        cell.plot(curve["MB"], curve["accuracy"], marker="o", markersize=3, label=f"{bits} bits")
    cell.set(xscale="log", xlabel="MB that all clients sent", ylabel="accuracy, validation")
    cell.legend(frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
