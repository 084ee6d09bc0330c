"""What a coordinator knows of its followers: when each was heard, and what each has stored."""

from __future__ import annotations

import math
from collections.abc import Collection

from glean.consensus.state_version import NOTHING, Version


class FollowerTable:
    """Followers of one coordinator in its term.

    A follower counts as heard at the time when the heartbeat was sent that it replied to: so a
    coordinator's lease ends before its followers' do, and an old reply makes it no longer.

    Parameters
    ----------
    term : int
        The coordinator's term.
    others : collection of str
        All other voters.
    majority : int
        How many voters decide, the coordinator counted.
    lease_s : float
        How long a word counts, seconds.
    now : float
        When it was elected: in its first lease it has the votes that it was elected by.
    """

    def __init__(
        self, term: int, others: Collection[str], majority: int, *, lease_s: float, now: float
    ) -> None:
        self._term = term
        self._needed = majority - 1
        self._lease_s = lease_s
        self._began_at = now
        self._confirmed = dict.fromkeys(others, -math.inf)
        self._stored = dict.fromkeys(others, NOTHING)
        self._sent: dict[int, float] = {}
        self._number = 0

    def leased_until(self) -> float:
        """Until when a majority takes this coordinator for alive."""
        if not self._needed:
            return math.inf
        heard = sorted(self._confirmed.values(), reverse=True)
        return max(self._began_at, heard[self._needed - 1]) + self._lease_s

    def next_number(self, now: float) -> int:
        """Give the number of a heartbeat that is sent now."""
        self._number += 1
        self._sent[self._number] = now
        self._sent = {n: at for n, at in self._sent.items() if at > now - self._lease_s}
        return self._number

    def replied(self, name: str, number: int) -> None:
        """Note that a follower replied to a heartbeat; no number counts that is old or unknown."""
        sent_at = self._sent.get(number, -math.inf)
        self._confirmed[name] = max(self._confirmed[name], sent_at)

    def note_stored(self, name: str, version: Version, own: Version) -> None:
        """Note what a follower has, which is no more than what it was sent."""
        if version <= own:
            self._stored[name] = max(version, self._stored[name])

    def committed(self, own: Version) -> Version:
        """Give the highest version of the term that a majority has stored; `NOTHING` if none.

        What is left of earlier terms doesn't count by how many have it: it is committed with the
        first version of this term, which contains it.
        """
        reached = sorted((own, *self._stored.values()), reverse=True)[self._needed]
        return reached if reached.term == self._term else NOTHING
