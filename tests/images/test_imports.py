"""What the workload of pictures needs is loaded where it is used, and nowhere else."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "module",
    ["glean.cli.app", "glean.server_app", "glean.client_app", "glean.images.workload"],
)
def test_pytorch_is_not_loaded_before_it_is_used(module: str) -> None:
    """Nor Pillow; commands on sales and reports of pictures start as fast as before."""
    said = f"import sys, {module}; print(sorted({{'torch', 'PIL'}} & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", said], check=True, capture_output=True, text=True)
    assert found.stdout == "[]\n"
