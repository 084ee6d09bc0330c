"""A small mesh in one process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mesh.made_meshes import NAMES, mesh_of
from tests.mesh.memory_network import MemoryNetwork, MemoryPeer

A, B, C, D, *_ = NAMES


@pytest.fixture
def network(tmp_path: Path) -> MemoryNetwork:
    """A - B - C, and D whom nobody reaches; all know each other's cards but D's."""
    found = MemoryNetwork()
    known = mesh_of(A, B, C, D)
    for name in (A, B, C, D):
        MemoryPeer(found, tmp_path, name, known)
    found.link((A, B), (B, C))
    for name in (A, B, C):
        found.peers[name].card()
    for _ in range(4):
        found.round()
    return found
