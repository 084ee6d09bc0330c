"""A client's part in a sum: its vector, each part of it, masked where the server asks for it."""

from __future__ import annotations

import numpy as np
from flwr.app import RecordDict
from numpy.typing import NDArray

from glean.aggregation.metric_sums import encode, encode_sums
from glean.federation.client.client import Client
from glean.federation.client.job_note import discount_of
from glean.federation.client.journal_store import JournalStore
from glean.federation.client.noised_vector import check_noised, noise_on, noise_source
from glean.federation.client.privacy_account import Charge, PrivacyAccount
from glean.federation.client.secagg_client import StoredSecAggClient
from glean.federation.client.step_journal import part_name
from glean.federation.wire.final_test_sums import kept, kept_encoded
from glean.federation.wire.messages import identity_of
from glean.federation.wire.noised_parts import NOISED_PARTS
from glean.federation.wire.packed_words import pack_end
from glean.federation.wire.sum_messages import SumReply, SumTask
from glean.federation.wire.sum_request import (
    CLIENT_STEPS,
    CLIPPED_FINAL,
    CLIPPED_SCORE,
    FINAL,
    LEARNED,
    QUANTISED_STEPS,
    SCORES,
    TOTALS,
    WEIGHT_STEPS,
    WEIGHTS,
    SumRequest,
)
from glean.federation.workload.registry import workload_of
from glean.learning.day_sums import UNIT
from glean.metric_sums import MetricSums
from glean.privacy.privacy_ledger import Days
from glean.runs.code_version import code_fingerprint

Encoded = NDArray[np.int64]

_TOTALS_LENGTH = 2


class SumResponder:
    """Answers one task.

    Parameters
    ----------
    client : Client
        The client.
    task : SumTask
        What is asked.
    state : RecordDict
        The node's own state.
    journal : JournalStore
        What was done for sums before.
    account : PrivacyAccount or None
        What the bakery's days have spent, where that is counted.

    Attributes
    ----------
    request : SumRequest
        What is asked, in detail.
    """

    _charge: Charge | None = None

    def __init__(
        self,
        client: Client,
        task: SumTask,
        state: RecordDict,
        journal: JournalStore,
        account: PrivacyAccount | None,
    ) -> None:
        self._client = client
        self._task = task
        self._state = state
        self._journal = journal
        self._account = account
        self._told = SumRequest.from_json(task.request)
        self.request = self._told
        self._trainer = client.trainer(task.spec)

    def answer(self) -> SumReply:
        """Compute what is asked; or say that the model or the keys for it aren't here.

        Raises
        ------
        FederationError
            It isn't what a run with these settings opens.
        RefusalError
            It goes against the bakery's own policy, or against what it did before.
        """
        secagg = None
        if self._told.masked:
            secagg = StoredSecAggClient.of(self._client, self._task, self._state)
            if secagg is None:
                return self._reply(lacks_keys=True)
            self.request = self._told.at(secagg.place)
        request = self.request
        self._client.policy.check_request(request, self._task.structures)
        giving = secagg.confirmed(self._task) if secagg else 0
        check_noised(request, self._client.settings, participants=giving, number=self._task.round)
        context = secagg.context(self._task, self._told) if secagg else None
        if self._needs_model() and not self._client.catch_up(self._task, self._state):
            return self._reply(lacks_model=True)
        scored = request.with_scores or {SCORES, CLIPPED_SCORE} & {*request.contributes}
        sums = self._trainer.validate() if scored else None
        proposal = self._proposal() if request.proposes else b""
        if self._account is not None:
            lengths = {part: self._length(part) for part in request.contributes}
            self._charge = self._account.charge(lengths, number=self._task.round)
        encoded = self._encoded(sums)
        vector = b""
        if len(encoded) and secagg is not None and context is not None:
            vector = secagg.masked(encoded, self._task, context, self._journal, self._charge)
        elif len(encoded):
            vector = encoded.astype("<i8", copy=False).tobytes()
        vector = pack_end(vector, request.word_bits, len(encoded) if vector else 0)
        shown = sums.as_tuple if sums is not None and request.with_scores else ()
        return self._reply(sums=shown, proposal=proposal, vector=vector)

    def _needs_model(self) -> bool:
        request = self.request
        contributed = {*request.contributes} - {TOTALS, FINAL, CLIPPED_FINAL}
        return request.with_scores or request.proposes or bool(contributed)

    def _reply(
        self,
        *,
        lacks_model: bool = False,
        lacks_keys: bool = False,
        sums: tuple[float, ...] = (),
        proposal: bytes = b"",
        vector: bytes = b"",
    ) -> SumReply:
        trained = {WEIGHTS, WEIGHT_STEPS, QUANTISED_STEPS, CLIENT_STEPS} & {
            *self.request.contributes
        }
        learned = bool(proposal) or bool(trained)
        return SumReply(
            bakery=self._client.name,
            code=code_fingerprint(),
            spec=identity_of(self._task.spec),
            lacks_model=lacks_model,
            lacks_keys=lacks_keys,
            device=self._trainer.device_used if learned else "",
            sums=sums,
            proposal=proposal,
            vector=vector,
        )

    def _proposal(self) -> bytes:
        client, task = self._client, self._task
        if client.own_table:
            about = part_name("proposal", task.spec, task.state, task.learning_rate)
            rounds = client.settings.rounds.num_server_rounds
            before = self._journal.read()
            noted = before.proposing(task.round, about, rounds=rounds)
            if noted != before:
                self._journal.write(noted)
        self._client.training_weight(self._task.spec)
        seed = self._client.training_seed(self._task.round)
        discount = discount_of(self._state, task.round, client.settings)
        return self._trainer.train(
            self._task, seed=seed, structures_only=True, from_job=discount is not None
        )

    def _encoded(self, sums: MetricSums | None) -> Encoded:
        parts = [self._part(part, sums) for part in self.request.parts]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def _part(self, part: str, sums: MetricSums | None) -> Encoded:
        """Make a part of the vector; zeros where others contribute it."""
        request = self.request
        if part in NOISED_PARTS:
            return self._noised(part, sums)
        if part not in request.contributes:
            return np.zeros(self._length(part), dtype=np.int64)
        if part == TOTALS:
            return self._totals()
        if part == FINAL:
            return self._final()
        if part == SCORES:
            assert sums is not None, "scores that are contributed were made"
            return encode_sums(
                sums, unit_weight=request.unit_weight, num_clients=request.num_clients
            )
        weight = 0.0
        if part in (WEIGHTS, WEIGHT_STEPS, QUANTISED_STEPS):
            weight = self._client.training_weight(self._task.spec) / request.unit_weight
        return self._contribute(part, weight)

    def _contribute(self, part: str, weight: float = 0.0, days: Days | None = None) -> Encoded:
        seed = self._client.training_seed(self._task.round)
        number, settings = self._task.round, self._client.settings
        discount = discount_of(self._state, number, settings) if part in LEARNED else None
        return self._trainer.contribute(
            part, self._task, self.request, weight=weight, seed=seed, days=days, discount=discount
        )

    def _noised(self, part: str, sums: MetricSums | None) -> Encoded:
        """Make a part that carries noise where the run wants it; who adds nothing adds noise."""
        days = self._charge.days.get(part) if self._charge else None
        if part not in self.request.contributes:
            found = np.zeros(self._length(part), dtype=np.int64)
        elif part == CLIPPED_SCORE:
            assert sums is not None, "a score that is contributed was made"
            found = _clipped(np.array([sums.bounded if days is None or days else np.nan]))
        elif part == CLIPPED_FINAL:
            scores = kept(self._state, self.request.tested)
            found = _clipped(scores if days is None or days else np.full(len(scores), np.nan))
        else:
            found = self._contribute(part, days=days)
        client, settings, parties = self._client, self._client.settings, self.request.num_clients
        about = f"{part}, round {self._task.round} {self.request.tested}"
        source = noise_source(settings, client.name, about, own_table=client.own_table)
        return found + noise_on(part, len(found), settings, parties=parties, random_bytes=source)

    def _length(self, part: str) -> int:
        if part == TOTALS:
            return _TOTALS_LENGTH
        if part == SCORES:
            return workload_of(self._client.settings).metrics.length()
        if part == FINAL:
            return len(self._final())
        if part == CLIPPED_SCORE:
            return 1
        if part == CLIPPED_FINAL:
            return len(kept(self._state, self.request.tested))
        return self._trainer.length(part, self._task, self.request)

    def _totals(self) -> Encoded:
        """Count the rows to learn from, and sum their weights; none where there are too few."""
        rows, weight = self._trainer.totals() if self._client.trains else (0, 0.0)
        encoded = encode(np.array([weight]), num_clients=self.request.num_clients)
        return np.append(np.int64(rows), encoded)

    def _final(self) -> Encoded:
        return kept_encoded(
            self._state,
            self.request.tested,
            unit_powers=workload_of(self._client.settings).final_unit_powers(self._task.spec),
            unit_weight=self.request.unit_weight,
            num_clients=self.request.num_clients,
        )


def _clipped(scores: NDArray[np.float64]) -> Encoded:
    """Write scores between 0 and 1 for a sum; one that can't be had counts as the worst."""
    known = np.where(np.isfinite(scores), scores, 1.0)
    return (np.clip(known, 0.0, 1.0) * UNIT).astype(np.int64)
