"""How busy a machine is, with made-up GPUs."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.operations import machine_load
from glean.operations.machine_load import GpuLoad, LoadMeter


@pytest.fixture(autouse=True)
def drm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a GPU, to which some can be given."""
    folder = tmp_path / "drm"
    folder.mkdir()
    monkeypatch.setattr(machine_load, "DRM", folder)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return folder


def give_amd(drm: Path, card: int, busy: str, used: int, total: int) -> None:
    device = drm / f"card{card}" / "device"
    device.mkdir(parents=True)
    (device / "gpu_busy_percent").write_text(f"{busy}\n")
    (device / "mem_info_vram_used").write_text(f"{used}\n")
    (device / "mem_info_vram_total").write_text(f"{total}\n")


def give_nvidia(tmp_path: Path, script: str) -> None:
    """Put a made-up `nvidia-smi` on the path."""
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_without_a_gpu_there_is_none() -> None:
    """Processors and memory are shares."""
    found = LoadMeter().load()
    assert found.gpus == ()
    assert 0 <= found.cpu <= 1
    assert 0 < found.memory <= 1


def test_amd_s_are_read_from_linux(drm: Path) -> None:
    """One that says nonsense is left out."""
    give_amd(drm, 0, "37", 24, 192)
    give_amd(drm, 1, "?", 24, 192)
    (drm / "card0-DP-1").mkdir()
    assert LoadMeter().load().gpus == (GpuLoad("GPU 0", 0.37, 0.125),)


def test_nvidia_s_are_asked_by_its_own_program(tmp_path: Path) -> None:
    """A row a GPU."""
    give_nvidia(tmp_path, 'echo "50, 1000, 4000"; echo "0, 0, 4000"')
    assert LoadMeter().load().gpus == (GpuLoad("GPU 0", 0.5, 0.25), GpuLoad("GPU 1", 0.0, 0.0))


@pytest.mark.parametrize("script", ["exit 9", 'echo "[N/A], 0, 0"', "echo no driver"])
def test_a_driver_that_does_not_answer_is_no_gpu(tmp_path: Path, script: str) -> None:
    """And breaks no page."""
    give_nvidia(tmp_path, script)
    assert LoadMeter().load().gpus == ()


def test_it_is_measured_once_for_all_who_ask(drm: Path) -> None:
    """Within a short time; then anew."""
    patient, hasty = LoadMeter(keeps_s=60), LoadMeter(keeps_s=-1)
    assert patient.load().gpus == hasty.load().gpus == ()
    give_amd(drm, 0, "10", 1, 2)
    assert patient.load().gpus == ()
    assert len(hasty.load().gpus) == 1
