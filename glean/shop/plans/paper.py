"""A day's list as plain text, which every printer takes; and `lp`, which prints that or a PDF."""

from __future__ import annotations

import shutil
import subprocess  # nosec B404
from collections.abc import Sequence

from glean.errors import GleanError
from glean.languages.language import Language
from glean.shop.plans.bake_list import ListLine, in_groups
from glean.shop.plans.kept_plans import KeptPlan

LARGE_TYPE = ("-o", "cpi=8", "-o", "lpi=4")
"""Characters and lines an inch: a name and its number are read from the other side of a table."""

ON_A4 = ("-o", "media=A4", "-o", "fit-to-page")

_NUMBER_WIDTH = 7
_WAIT_S = 60


def list_on_paper(plan: KeptPlan, lines: Sequence[ListLine], speaks: Language) -> str:
    """Write it: the day, what is special, then a line a product that is baked, by group."""
    head = [plan.bakery, speaks.long_day(plan.date), plan.headline.get(speaks.code, "")]
    written = [line for line in head if line]
    for category, group in in_groups(line for line in lines if line.bake > 0):
        written += ["", *([category] if category else [])]
        for line in group:
            digits = 0 if line.bake == round(line.bake) else 1
            number = speaks.number(line.bake, digits)
            written.append(f"{number:>{_NUMBER_WIDTH}}  {line.product}")
    return "\n".join(written) + "\n"


def print_document(content: bytes, title: str, printer: str = "") -> None:
    """Print a PDF, on A4, or a text, in large type.

    Parameters
    ----------
    content : bytes
        What.
    title : str
        Name of the job.
    printer : str
        Which one; "" takes the machine's usual one.

    Raises
    ------
    GleanError
        There is no `lp`, or it says no.
    """
    command = shutil.which("lp")
    if command is None:
        raise GleanError("found no `lp` on this computer; wanted CUPS, which prints")
    where = ["-d", printer] if printer else []
    how = ON_A4 if content.startswith(b"%PDF") else LARGE_TYPE
    try:
        subprocess.run(  # noqa: S603 # nosec B603 # a list, and the printer's name is one word of it
            [command, *where, "-t", title, *how, "-"],
            input=content,
            capture_output=True,
            check=True,
            timeout=_WAIT_S,
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip()
        raise GleanError(f"lp: {said or 'failed'}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GleanError(f"lp: {error}") from None
