"""Who was right: the plan or the baker who corrected it, by what was sold."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """Whose number was nearer."""

    BAKER = "baker"
    PLAN = "plan"
    BOTH = "both"
    OPEN = "open"


def verdict(planned: float, baked: float, sold: float | None, *, sold_out: bool) -> Verdict:
    """Judge a correction.

    Parameters
    ----------
    planned, baked : float
        Units by the plan, and by the baker.
    sold : float or None
        Units sold; None where that isn't known.
    sold_out : bool
        Whether it sold out: then more were asked for, and nobody knows how many.

    Examples
    --------
    >>> verdict(40.0, 50.0, 48.0, sold_out=False)
    <Verdict.BAKER: 'baker'>
    >>> verdict(40.0, 30.0, 30.0, sold_out=True)
    <Verdict.PLAN: 'plan'>
    >>> verdict(40.0, 50.0, 45.0, sold_out=False)
    <Verdict.BOTH: 'both'>
    """
    if sold is None:
        return Verdict.OPEN
    if sold_out and baked >= planned:
        return Verdict.BAKER
    # Who baked less and sold out would have sold more: the larger number was nearer.
    if sold_out or (sold >= baked and baked < planned):
        return Verdict.PLAN
    of_plan, of_baker = abs(planned - sold), abs(baked - sold)
    if of_plan == of_baker:
        return Verdict.BOTH
    return Verdict.PLAN if of_plan < of_baker else Verdict.BAKER
