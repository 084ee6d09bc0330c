"""How many bakeries a sum needs where each says how many it wants beside it."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from glean.errors import FederationError
from glean.federation.coordination.exchange import ClientExchange
from glean.federation.wire.messages import ClientInfo


def own_floors(infos: Mapping[str, ClientInfo], present: Collection[str]) -> dict[str, int]:
    """Say how many bakeries each of those with tables of their own wants in a sum.

    Parameters
    ----------
    infos : mapping of str to ClientInfo
        What each said of itself.
    present : collection of str
        Who is there.
    """
    there = [name for name in present if name in infos and infos[name].own_table]
    return {name: infos[name].min_contributors for name in there}


def too_wary(wanted: Mapping[str, int], *, at_least: int) -> tuple[str, ...]:
    """Name who has to be left out so that the others have enough; nobody where that isn't so.

    One bakery's word must not keep the others from learning together.

    Parameters
    ----------
    wanted : mapping of str to int
        By bakery that is there, how many it wants in each sum.
    at_least : int
        How many are needed whatever they want.

    Examples
    --------
    >>> too_wary({"A": 3, "B": 3, "C": 9, "D": 3}, at_least=3)
    ('C',)
    >>> too_wary({"A": 5, "B": 5, "C": 5, "D": 5}, at_least=3)
    ()
    """
    staying = sorted(wanted, key=lambda name: (wanted[name], name))
    leaving: list[str] = []
    while staying and wanted[staying[-1]] > len(staying):
        leaving.append(staying.pop())
    return tuple(sorted(leaving)) if len(staying) >= at_least else ()


def leave_out_too_wary(
    clients: ClientExchange, wanted: Mapping[str, int], *, at_least: int, number: int
) -> bool:
    """Go on without those who want more than there are, where that helps; whether it does.

    Parameters
    ----------
    clients : ClientExchange
        Where it is said who is left out.
    wanted, at_least
        As for `too_wary`.
    number : int
        The round.
    """
    leaving = too_wary(wanted, at_least=at_least)
    for name in leaving:
        reason = f"its own min-contributors wants {wanted[name]} in each sum; found {len(wanted)}"
        clients.leave_out(name, reason, round_number=number)
    return bool(leaving)


def go_on_with_fewer(
    clients: ClientExchange,
    infos: Mapping[str, ClientInfo],
    error: FederationError,
    *,
    fewest: int,
    at_least: int,
    number: int,
) -> None:
    """Go on without those who want more than there are, if anybody is missing for their sake.

    Parameters
    ----------
    clients : ClientExchange
        Who is there.
    infos : mapping of str to ClientInfo
        What each said of itself.
    error : FederationError
        Why the wait for `fewest` ended.
    fewest : int
        How many are needed so that all who are there agree.
    at_least, number
        As for `leave_out_too_wary`.

    Raises
    ------
    FederationError
        That doesn't help.
    """
    missing = fewest - len(clients.present)
    if missing <= 0:
        raise error
    own = own_floors(infos, clients.present)
    if leave_out_too_wary(clients, own, at_least=at_least, number=number):
        return
    raise FederationError(
        f"{error}. So that no sum tells of few, min-contributors wants {fewest} "
        f"{clients.vocabulary.many} in each: {missing} more are missing"
    ) from error
