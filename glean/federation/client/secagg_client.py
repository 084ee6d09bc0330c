"""A client's part in secure sums: its keys, its masked vectors, and what unmasks their sum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from flwr.app import RecordDict
from numpy.typing import NDArray

from glean.errors import SettingsError
from glean.federation.client.client import Client
from glean.federation.client.journal_store import JournalStore
from glean.federation.client.members_file import all_members, members_of, node_file
from glean.federation.client.privacy_account import Charge
from glean.federation.client.secagg_state import keep_key, kept_key, load_client, save_client
from glean.federation.client.step_journal import part_name
from glean.federation.client.transcript import transcript_digest
from glean.federation.wire.sum_messages import (
    KeyReply,
    KeyTask,
    SumTask,
    UnmaskResult,
    UnmaskTask,
)
from glean.federation.wire.sum_request import (
    CLIENT_STEPS,
    DAY_GRADIENTS,
    LEAF_GRADIENTS,
    LEARNED,
    QUANTISED_STEPS,
    TOTALS,
    WEIGHT_STEPS,
    WHOLE,
    SumRequest,
)
from glean.privacy.cohort import Cohort
from glean.privacy.mask_keys import KeyPair
from glean.privacy.mask_messages import SeedRequest, UnmaskRequest
from glean.privacy.noise_budget import relied_on
from glean.privacy.place_sets import set_from_bytes
from glean.privacy.secagg_client import SecAggClient
from glean.privacy.step_context import StepContext
from glean.runs.code_version import code_fingerprint

Encoded = NDArray[np.int64]


class StoredSecAggClient:
    """Masks the vectors of one client.

    Parameters
    ----------
    client : Client
        The client.
    secagg_client : SecAggClient
        Its keys, and what it may not contradict.
    state : RecordDict
        The node's own state.
    """

    def __init__(self, client: Client, secagg_client: SecAggClient, state: RecordDict) -> None:
        self._client = client
        self._secagg_client = secagg_client
        self._state = state

    @property
    def place(self) -> int:
        """The client's place in the cohort."""
        return self._secagg_client.place

    @classmethod
    def of(cls, client: Client, task: SumTask, state: RecordDict) -> StoredSecAggClient | None:
        """Get ready for a sum; None where the keys for it aren't here.

        Raises
        ------
        SecureSumError
            The keys that came aren't those of members, or not for the key that was advertised.
        SettingsError
            The bakery can't check them.
        """
        if task.cohort and (own := kept_key(state)):
            cohort = Cohort.from_bytes(task.cohort)
            if client.own_table:
                cohort.verify(all_members(client.node))
            secagg_client = SecAggClient(own, cohort)
            save_client(secagg_client, state)
            return cls(client, secagg_client, state)
        found = load_client(client.name, state)
        return cls(client, found, state) if found else None

    def context(self, task: SumTask, request: SumRequest) -> StepContext:
        """Bind a sum to what was told of it, and refuse one with too few contributors.

        Raises
        ------
        ModelError
            The request isn't the same for all.
        RefusalError
            Too few whom the owner has confirmed contribute a part, or give noise.
        """
        client, cohort = self._client, self._secagg_client.cohort
        members = members_of(client.node, cohort) if client.own_table else ()
        contributors = client.policy.contributors(
            request.contributor_sets(), cohort, members, own=client.name
        )
        context = StepContext(
            transcript_digest(task, client.settings, members),
            contributors,
            client.policy.min_contributors,
            *self._noise(task, request),
        )
        context.check(_participants(task))
        return context

    def confirmed(self, task: SumTask) -> int:
        """Count those who take part and whom the owner has confirmed: whose noise is relied on."""
        return self._confirmed(task).bit_count()

    def _noise(self, task: SumTask, request: SumRequest) -> tuple[int, int]:
        """Name whose noise counts in a sum, and how many of them the account relies on."""
        if not self._client.settings.noise.wanted:
            return 0, 0
        return self._confirmed(task), relied_on(request.num_clients)

    def _confirmed(self, task: SumTask) -> int:
        cohort, client = self._secagg_client.cohort, self._client
        members = members_of(client.node, cohort) if client.own_table else ()
        sets = client.policy.contributors((_participants(task),), cohort, members, own=client.name)
        return sets[0]

    def masked(
        self,
        encoded: Encoded,
        task: SumTask,
        context: StepContext,
        journal: JournalStore,
        charge: Charge | None,
    ) -> bytes:
        """Mask a vector for a sum; what it costs is on disk then, and that it was masked.

        Raises
        ------
        SecureSumError
            The sum was masked before, or too few take part.
        RefusalError
            The run had this step before, maybe with other keys, or another unit; a cohort differs
            by too few from one that was opened; or the journal says that a state was put back.
        FederationError
            The home can't be written to.
        """
        # What was charged for is a release of its own, with noise of its own: it may be repeated.
        asked = self._asked(task) if self._client.own_table and charge is None else {}
        floor = self._client.policy.cohorts_floor
        unit, rows = self._scale(task) if self._client.own_table else (0.0, 0)
        entry = journal.read().masked(task.number, asked, floor=floor, unit=unit, rows=rows)
        masked = self._secagg_client.mask(
            encoded.view(np.uint64),
            step=task.number,
            participants=_participants(task),
            context=context,
        )
        if charge is not None:
            entry = replace(entry, ledger=charge.write())
        journal.write(entry)
        save_client(self._secagg_client, self._state)
        return masked.to_bytes()

    @staticmethod
    def _scale(task: SumTask) -> tuple[float, int]:
        """Say what a sum is relative to, and scaled by; 0 where it is what gives these."""
        request = SumRequest.from_json(task.request)
        wanted = {*request.parts} - {TOTALS}
        return (request.unit_weight, request.rows) if wanted else (0.0, 0)

    def _asked(self, task: SumTask) -> dict[str, frozenset[str]]:
        """Name each part of a sum by what it is about, and those who contribute it."""
        request, cohort = SumRequest.from_json(task.request), self._secagg_client.cohort
        return {
            name: frozenset(cohort.names_in(members))
            for part, members in zip(request.parts, request.contributor_sets(), strict=True)
            for name in _names_of(part, task, request)
        }


_OF_A_MODEL = frozenset(
    {LEAF_GRADIENTS, DAY_GRADIENTS, WEIGHT_STEPS, QUANTISED_STEPS, CLIENT_STEPS, WHOLE}
)
"""Parts that are named by the model that they are learned from, and by nothing else."""


def _names_of(part: str, task: SumTask, request: SumRequest) -> Iterator[str]:
    """Name a part by all that it is about.

    What is learned from one model are the same numbers, in whatever leaves they come: so they are
    given for the same bakeries again, or not at all.
    """
    if part in LEARNED:
        yield part_name(LEAF_GRADIENTS, task.state)
    if part == WHOLE:  # of some weights, these alone are in the sum
        yield part_name(LEAF_GRADIENTS, task.state, WHOLE)
    if part not in _OF_A_MODEL:
        about = (task.state, task.structures, request.histogram_request, request.scale)
        yield part_name(part, *about, request.tested)


def advertise_key(client: Client, task: KeyTask, state: RecordDict) -> KeyReply:
    """Make a key, keep it, and give its public part; signed where the bakery is a real one.

    Raises
    ------
    SettingsError, SecureSumError
        It can't be signed.
    """
    own = KeyPair.new(client.name, epoch=task.epoch)
    advertisement = own.advertisement
    if client.own_table:
        advertisement = advertisement.signed(
            node_file(client.node, "signing-key"), epoch=task.epoch
        )
    keep_key(own, state)
    return KeyReply(client.name, code_fingerprint(), advertisement.to_bytes())


def unmask_reply(
    client: Client, task: UnmaskTask, state: RecordDict, journal: JournalStore
) -> UnmaskResult:
    """Reply with what the server needs to unmask a sum.

    Raises
    ------
    SecureSumError
        The request contradicts an earlier one, or too few are left.
    RefusalError
        Too few contributors are left, or the sum was opened before over others.
    """
    secagg_client = load_client(client.name, state)
    if secagg_client is None:
        raise SettingsError("found no keys here for the sum; they went with the node's last state")
    request = UnmaskRequest.from_bytes(task.request)
    entry = journal.read()
    if request.asked is SeedRequest.SHARES and entry.asked:
        entry = entry.unmasked(frozenset(secagg_client.cohort.names_in(request.bitmap)))
    answer = secagg_client.unmask(request)
    journal.write(entry.noted())
    save_client(secagg_client, state)
    return UnmaskResult(client.name, code_fingerprint(), answer.to_bytes())


def _participants(task: SumTask) -> int:
    return set_from_bytes(task.participants)
