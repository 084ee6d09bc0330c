"""Threads look often: the clocks of these tests go fast."""

from __future__ import annotations

import pytest

from glean.mesh.runs import mesh_runs, run_carrier, run_client_carrier


@pytest.fixture(autouse=True)
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a moment where others wait a tenth of a second."""
    monkeypatch.setattr(mesh_runs, "LOOK_S", 0.02)
    monkeypatch.setattr(run_carrier, "_LOOK_S", 0.02)
    monkeypatch.setattr(run_client_carrier, "_LOOK_S", 0.02)
