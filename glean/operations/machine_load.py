"""How busy this machine is: its processors, its memory, and its GPUs where it has any."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

DRM = Path("/sys/class/drm")
"""Where Linux tells of AMD's GPUs (amdgpu: `gpu_busy_percent`, `mem_info_vram_*`)."""

_NVIDIA_SMI = (
    "--query-gpu=utilization.gpu,memory.used,memory.total",
    "--format=csv,noheader,nounits",
)
_PATIENCE_S = 5.0


@dataclass(frozen=True)
class GpuLoad:
    """How busy a GPU is.

    Parameters
    ----------
    name : str
        Like "GPU 0".
    busy : float
        Share of the time, 0 to 1.
    memory : float
        Share of its memory that is taken, 0 to 1.
    """

    name: str
    busy: float
    memory: float


@dataclass(frozen=True)
class MachineLoad:
    """How busy a machine is.

    Parameters
    ----------
    cpu, memory : float
        Shares of all cores and of the memory, 0 to 1.
    gpus : tuple of GpuLoad
        Its GPUs.
    """

    cpu: float
    memory: float
    gpus: tuple[GpuLoad, ...]


class LoadMeter:
    """Measures this machine, once for all who ask within a short time.

    Parameters
    ----------
    keeps_s : float
        How long a measurement is good for, seconds.
    """

    def __init__(self, keeps_s: float = 2.0) -> None:
        self._keeps_s = keeps_s
        self._lock = threading.Lock()
        self._found: MachineLoad | None = None
        self._measured_at = 0.0

    def load(self) -> MachineLoad:
        """Give how busy it is; of processors, since the last measurement."""
        with self._lock:
            now = time.monotonic()
            if self._found is None or now - self._measured_at > self._keeps_s:
                self._found = MachineLoad(
                    cpu=psutil.cpu_percent() / 100,
                    memory=psutil.virtual_memory().percent / 100,
                    gpus=(*_amd_gpus(), *_nvidia_gpus()),
                )
                self._measured_at = now
            return self._found


def _amd_gpus() -> list[GpuLoad]:
    found: list[GpuLoad] = []
    for busy in sorted(DRM.glob("card[0-9]*/device/gpu_busy_percent")):
        try:
            share = int(busy.read_text()) / 100
            used, total = (
                int((busy.parent / f"mem_info_vram_{name}").read_text())
                for name in ("used", "total")
            )
        except (OSError, ValueError):
            continue
        found.append(GpuLoad(f"GPU {len(found)}", share, used / total if total else 0.0))
    return found


def _nvidia_gpus() -> list[GpuLoad]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        answer = subprocess.run(  # noqa: S603 # nosec B603 # our own words
            [program, *_NVIDIA_SMI], capture_output=True, text=True, timeout=_PATIENCE_S, check=True
        )
        rows = [[float(cell) for cell in line.split(",")] for line in answer.stdout.splitlines()]
        return [
            GpuLoad(f"GPU {place}", busy / 100, used / total)
            for place, (busy, used, total) in enumerate(rows)
        ]
    except (OSError, subprocess.SubprocessError, ValueError, ZeroDivisionError):
        return []  # a driver that doesn't answer, or "[N/A]"
