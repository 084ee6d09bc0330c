"""Arrays on disk come back as they were, and leave nothing behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from glean.errors import GleanError
from glean.spill_file import SpillFile
from tests.processes import REPOSITORY

KINDS = ["u1", "i4", "i8", "f4", "f8", "u8", "?", "M8[D]"]
ARRAYS = st.dictionaries(
    st.text(max_size=5),
    st.sampled_from(KINDS).flatmap(
        lambda kind: hnp.arrays(kind, hnp.array_shapes(min_side=0, max_dims=2))
    ),
    max_size=4,
)

KILLED = """
import os, signal, time
import numpy as np
from glean.spill_file import SpillFile

spill = SpillFile()
place = spill.write({"x": np.arange(10**6)})
print(spill.read(place)["x"].sum(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@given(ARRAYS, st.booleans())
def test_arrays_come_back_as_they_were(arrays: dict[str, NDArray[np.generic]], by: bool) -> None:
    """Types, shapes, values and the order in memory, which compiled loops are made for."""
    arrays = {name: np.asfortranarray(a) if by else a for name, a in arrays.items()}
    spill = SpillFile()
    found = spill.read(spill.write(arrays))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()
        assert found[name].flags.c_contiguous == array.flags.c_contiguous
        assert found[name].flags.writeable


def test_changes_stay_in_memory() -> None:
    spill = SpillFile()
    place = spill.write({"x": np.zeros(5)})
    spill.read(place)["x"][:] = 1.0
    assert not spill.read(place)["x"].any()


def test_places_are_used_again_once_nobody_looks_at_them() -> None:
    """Not while an array of it is in use, also where whoever wrote it is gone."""
    spill = SpillFile()
    place = spill.write({"x": np.arange(1000)})
    end, seen = spill.end, spill.read(place)["x"]
    del place
    spill.write({"x": np.zeros(1000)})
    assert spill.end == 2 * end
    assert (seen == np.arange(1000)).all()
    del seen
    last = spill.write({"x": np.ones(1000)})
    assert spill.end == 2 * end
    assert spill.read(last)["x"].all()


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """Of a process that was killed; nobody else ever saw a file."""
    with mock.patch.object(tempfile, "tempdir", str(tmp_path)):
        spill = SpillFile()
        spill.write({"x": np.zeros(1000)})
        assert not list(tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        cwd=REPOSITORY,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == -9
    assert int(done.stdout) == sum(range(10**6))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_told_with_what_helps() -> None:
    """It takes a part first, and refuses the rest."""
    spill = SpillFile()
    full = OSError(errno.ENOSPC, "No space left on device")
    spill._file = mock.Mock(write=mock.Mock(side_effect=[100, full]))
    with pytest.raises(GleanError, match=r"No space left on device; .*--memory.*TMPDIR"):
        spill.write({"x": np.zeros(1000)})
