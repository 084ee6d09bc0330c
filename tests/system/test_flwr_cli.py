"""What Flower's commands say, of the installed version, is understood."""

from __future__ import annotations

from pathlib import Path

import pytest

from glean.federation.launch.flwr_cli import UnknownRunError
from glean.federation.launch.superlink import local_superlink

pytestmark = pytest.mark.slow


def test_a_run_that_the_superlink_doesnt_know_is_told_apart(tmp_path: Path) -> None:
    """As after a kill of one that keeps its runs in memory."""
    with local_superlink(tmp_path) as superlink, pytest.raises(UnknownRunError, match="not found"):
        superlink.cli.status(1)
