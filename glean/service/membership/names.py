"""Names of bakeries: refused before anybody is invited, rather than when the bakery first comes."""

from __future__ import annotations

from collections.abc import Iterable

from glean.errors import CertificateError
from glean.federation.wire.client_names import name_objection
from glean.privacy.members import folder_name


def check_name(bakery: str, taken: Iterable[str] = ()) -> None:
    """Refuse a name that the federation would refuse, or that is too like another one.

    Parameters
    ----------
    bakery : str
        The name.
    taken : iterable of str
        Names of other bakeries, of which it has to differ in its letters or digits.

    Raises
    ------
    CertificateError
        Says what is wrong with it.
    """
    folder = folder_name(bakery).casefold()
    objection = name_objection(bakery, own_table=True)
    if objection:
        raise CertificateError(f"bakery: {objection}")
    for other in taken:
        if folder_name(other).casefold() == folder:
            raise CertificateError(
                f"bakery: found {bakery!r}, and {other!r} is there already; wanted a name that "
                "differs in its letters or digits"
            )
