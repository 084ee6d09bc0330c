"""What each of Glean's extras takes on disk: `python -m benchmarks.install_sizes [EXTRA ...]`.

Builds the wheel of this checkout and installs it with pip, from wherever pip fetches packages, into
an environment of its own for each extra; what pip and setuptools take there isn't counted.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = ("shop", "simulation")
SHOWN = 12
NOT_OURS = ("pip", "setuptools", "pkg_resources", "_distutils_hack")


def size(path: Path) -> float:
    """MB that a file or folder takes, links not followed."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size / 1e6
    return sum(size(inner) for inner in path.iterdir())


def install(extra: str, wheel: Path, folder: Path) -> dict[str, float]:
    """Install into a new environment; MB by what lies in it."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip: list[str | Path] = [folder / "bin" / "python", "-m", "pip", "install", "--quiet"]
    pins: list[str | Path] = ["--disable-pip-version-check", "-c", ROOT / "constraints.txt"]
    subprocess.run([*pip, *pins, f"{wheel}[{extra}]"], check=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    parts = [*site.iterdir(), folder / "bin"]
    return {path.name: size(path) for path in parts if not path.name.startswith(NOT_OURS)}


def main() -> None:
    """Print a table for each extra."""
    with tempfile.TemporaryDirectory(prefix="glean-install-") as scratch:
        root = Path(scratch)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
        alone = ["wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        subprocess.run([*pip, *alone, "-w", root, ROOT], check=True)
        (wheel,) = root.glob("*.whl")
        for extra in sys.argv[1:] or EXTRAS:
            parts = install(extra, wheel, root / extra)
            print(f"\nglean[{extra}]: {sum(parts.values()):,.0f} MB")
            largest = sorted(parts.items(), key=lambda item: -item[1])[:SHOWN]
            for name, megabytes in largest:
                print(f"{megabytes:8,.0f}  {name}")


if __name__ == "__main__":
    main()
