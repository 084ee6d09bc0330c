"""What an environment has: a bakery's has less than a machine that simulates."""

from __future__ import annotations

from importlib.util import find_spec

from glean.errors import GleanError


def check_installed(*modules: str, extra: str = "simulation") -> None:
    """Refuse to begin what this environment can't do.

    Parameters
    ----------
    *modules : str
        Names by which packages are imported.
    extra : str
        Which of Glean's extras brings them.

    Raises
    ------
    GleanError
        Names what is missing, and the extra.
    """
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise GleanError(
            f"found no {', '.join(missing)} in this environment; wanted what "
            f"pip install 'glean[{extra}]' brings"
        )
