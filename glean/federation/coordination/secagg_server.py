"""The server's part in secure sums: it carries keys and masked vectors, and unmasks each sum.

The protocol itself is in `privacy/`; here it meets messages, bakeries that come and go, and a run
that has to go on when a sum is lost.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from flwr.app import RecordDict

from glean.errors import FederationError, SecureSumError
from glean.federation.coordination.client_manager import ClientManager
from glean.federation.coordination.unmasking import MaskedSum, take
from glean.federation.wire.sum_messages import KeyReply, KeyTask
from glean.privacy.cohort import Cohort
from glean.privacy.mask_graph import FEWEST_BAKERIES
from glean.privacy.mask_keys import KeyAdvertisement
from glean.privacy.place_sets import set_to_bytes
from glean.privacy.secagg_round import SecAggRound
from glean.runs.setback_events import SumLost

LOG = logging.getLogger("glean")

ADVERTISE_KEYS = "train.keys"

MOST_LOSSES = 2
"""So often in a row a bakery may have lost its keys before the others go on without it."""


class UnopenedError(SecureSumError):
    """A sum is left masked, as it would tell of those who are missing.

    Parameters
    ----------
    absent : frozenset of str
        Who they are.
    """

    def __init__(self, absent: frozenset[str]) -> None:
        super().__init__(f"without {', '.join(sorted(absent))} the sum isn't opened")
        self.absent = absent


class SecAggServer:
    """Secure sums over the bakeries of a federation.

    Parameters
    ----------
    manager : ClientManager
        The bakeries.

    Attributes
    ----------
    without_keys : set of str
        Bakeries that have lost their keys and haven't made new ones yet.
    """

    def __init__(self, manager: ClientManager) -> None:
        self._manager = manager
        self._clients = manager.clients
        self._cohort: Cohort | None = None
        self._informed: set[str] = set()
        self._losses: Counter[str] = Counter()
        self.without_keys: set[str] = set()
        self._run = secrets.token_hex(8)
        self._epochs = 0

    def prepare(self, names: Iterable[str], number: int) -> tuple[str, ...]:
        """See to it that bakeries hold each other's keys; those of them that do, in text order.

        In a deployment too few may be so for a moment only: others are waited for.

        Raises
        ------
        FederationError
            They are too few for a secure sum.
        """
        self._manager.wait_for_quorum(number, len(self.there(names)))
        wanted = self.there(names)
        self.check(len(wanted), number)
        if records := self.key_records(wanted):
            replies = self._manager.replies(ADVERTISE_KEYS, records, KeyReply, number=number)
            self.take_keys(replies, number)
        return self.holders(wanted)

    def there(self, names: Iterable[str]) -> tuple[str, ...]:
        """Name those that can be asked now, in text order."""
        return tuple(sorted(self._clients.present.intersection(names)))

    def holders(self, names: Iterable[str]) -> tuple[str, ...]:
        """Name those of some whose keys there are."""
        assert self._cohort is not None, "keys were advertised"
        return tuple(name for name in names if name in self._cohort.places)

    def key_records(self, names: tuple[str, ...]) -> dict[str, RecordDict]:
        """Ask bakeries for new keys; nobody where the keys that there are will do for them."""
        if self._suffices_for(names):
            return {}
        self._epochs += 1
        self._cohort = None
        newcomers = self._manager.newcomers
        return {
            name: KeyTask(newcomer=name in newcomers, epoch=self._epoch).to_record()
            for name in names
        }

    def take_keys(self, replies: Mapping[str, KeyReply], number: int) -> None:
        """Take the keys that came; whether each one's neighbours are enough is asked later.

        Raises
        ------
        FederationError
            They are fewer than three.
        """
        advertisements: list[KeyAdvertisement] = []
        for name, reply in replies.items():
            try:
                advertisements.append(self._checked_key(name, reply.advertisement))
            except SecureSumError as error:
                # Each key agreement would fail by it again, and the others would refuse all keys.
                self._clients.leave_out(name, str(error), round_number=number)
        self.check(len(advertisements), number)
        self._cohort = Cohort.of(advertisements, epoch=self._epoch, seed=secrets.token_bytes(16))
        self._informed = set()
        self.without_keys -= {*self._cohort.names}

    def check(self, contributors: int, number: int) -> None:
        """Refuse a sum of fewer bakeries than hide each other.

        Raises
        ------
        FederationError
            They are fewer than three.
        """
        if contributors < FEWEST_BAKERIES:
            raise FederationError(
                f"round {number}: secure-sums: found {contributors} "
                f"{self._clients.vocabulary.many} to sum over; wanted "
                f"{FEWEST_BAKERIES} or more, since of two each could tell the other's part from "
                "the sum. Let more join, or switch it off with secure-sums=false"
            )

    def bitmap(self, names: Iterable[str]) -> bytes:
        """Write who takes part in a sum, for a message."""
        return set_to_bytes(self.members_of(names))

    def members_of(self, names: Iterable[str]) -> int:
        """Write names as a set over those who hold each other's keys."""
        assert self._cohort is not None, "keys were advertised"
        return self._cohort.bitmap(names)

    def cohort_for(self, name: str) -> bytes:
        """Give its neighbours' keys to a bakery that lacks them; nothing to the others.

        Everybody's, where they are signed.
        """
        assert self._cohort is not None, "keys were advertised"
        if name in self._informed:
            return b""
        return self._cohort.part_for(self._cohort.place(name)).to_bytes()

    def forget_keys_of(self, name: str, number: int) -> None:
        """Note that a bakery has lost its keys: all make new ones before the next sum.

        Unless it says so again and again without a vector in between: then the others go on
        without it, as one bakery mustn't stop a run.
        """
        self._losses[name] += 1
        if self._losses[name] > MOST_LOSSES:
            reason = f"it says {self._losses[name]} times in a row that it lacks the keys it made"
            self._clients.report_failure(name, reason, round_number=number)
            return
        LOG.info("%s has lost its keys: all make new ones", name)
        self.without_keys.add(name)
        self._cohort = None

    def agreed(self) -> Cohort:
        """Give everybody's keys.

        Raises
        ------
        SecureSumError
            A bakery has lost its own since.
        """
        if self._cohort is None:
            raise SecureSumError("one has lost its keys; wanted those that were agreed on")
        return self._cohort

    def begin(
        self,
        sum_number: int,
        names: tuple[str, ...],
        vectors: Mapping[str, bytes],
        *,
        length: int,
        number: int,
        check: Callable[[tuple[str, ...]], None],
    ) -> MaskedSum:
        """Take the masked vectors of a sum, which `unmask` opens.

        Parameters
        ----------
        sum_number : int
            Its number in the run.
        names : tuple of str
            Who was asked, from `prepare`.
        vectors : mapping of str to bytes
            The masked vectors that came.
        length : int
            Numbers of each.
        number : int
            The round.
        check : callable
            Raises where the sum over those whose vectors count isn't to be opened.

        Raises
        ------
        SecureSumError
            A bakery has lost its keys.
        """
        cohort = self.agreed()
        self._informed |= vectors.keys()
        for name in vectors:
            del self._losses[name]
        summed = SecAggRound(
            cohort, step=sum_number, participants=cohort.bitmap(names), length=length
        )
        for name, vector in vectors.items():
            take(self._manager, name, number, partial(summed.take_input, name, vector))
        return MaskedSum(summed, check)

    def abandon(self, reason: str, number: int) -> None:
        """Write down that a sum can't be unmasked; those who are left make new keys."""
        self._cohort = None
        self._clients.folder.append_event(SumLost(number, reason))
        LOG.warning("round %d: a secure sum is lost, those who are left go on: %s", number, reason)

    def gave_up(self, number: int, lost: int, error: SecureSumError) -> FederationError:
        """Say that no further secure sum is tried in a round, after so many lost ones."""
        said = self._clients.last_failure
        last = f" The last reason that was given: {said}" if said else ""
        return FederationError(
            f"round {number}: {lost} secure sums were lost in a row: {error}.{last}"
        )

    @property
    def _epoch(self) -> str:
        return f"{self._run}-{self._epochs}"

    def _suffices_for(self, names: tuple[str, ...]) -> bool:
        """Whether the keys that there are will do for these bakeries."""
        cohort = self._cohort
        if cohort is None or not {*names} <= cohort.places.keys():
            return False
        return not cohort.isolated(cohort.bitmap(names))

    def _checked_key(self, name: str, content: bytes) -> KeyAdvertisement:
        """Read a key for sums, and check what the other bakeries will check."""
        advertisement = KeyAdvertisement.from_bytes(content)
        if advertisement.bakery != name:
            raise SecureSumError(f"found a key of {advertisement.bakery!r}; wanted one of {name!r}")
        advertisement.check_key()
        if self._clients.members is not None:
            self._clients.members.check(advertisement, epoch=self._epoch)
        return advertisement
