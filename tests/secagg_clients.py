"""Bakeries that have agreed on keys, and one step of a secure sum among them, all by bytes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from glean.errors import SecureSumError
from glean.privacy.cohort import Cohort
from glean.privacy.mask_keys import KeyAdvertisement, KeyPair
from glean.privacy.mask_messages import MaskedInput, SeedRequest, UnmaskRequest
from glean.privacy.mask_seeds import Words, commit
from glean.privacy.mask_serialization import read_client, write_client
from glean.privacy.mask_shares import reconstruct_seed
from glean.privacy.secagg_client import SecAggClient
from glean.privacy.secagg_round import SecAggRound


def agreed(count: int, *, seed: bytes = b"seed") -> list[SecAggClient]:
    """Clients of so many bakeries, by place."""
    key_pairs = [KeyPair.new(f"bakery {number:03}", epoch="run 1") for number in range(count)]
    advertisements = [
        KeyAdvertisement.from_bytes(key.advertisement.to_bytes()) for key in key_pairs
    ]
    cohort = Cohort.from_bytes(Cohort.of(advertisements, epoch="run 1", seed=seed).to_bytes())
    return [SecAggClient(key, cohort) for key in key_pairs]


def vectors(count: int, *, length: int = 5, seed: int = 0) -> list[Words]:
    """Vectors from all over the ring."""
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 2**64, length, dtype=np.uint64) for _ in range(count)]


def plain_sum(summands: Sequence[Words]) -> Words:
    total = np.zeros(len(summands[0]), np.uint64)
    for vector in summands:
        total += vector
    return total


def masked_step(
    secagg_clients: Sequence[SecAggClient],
    summands: Sequence[Words],
    *,
    step: int = 1,
    absent: Collection[int] = (),
    silent: Collection[int] = (),
) -> SecAggRound:
    """Mask and take: those absent aren't asked, those silent are asked and don't send."""
    cohort = secagg_clients[0].cohort
    participants = cohort.everybody & ~sum(1 << place for place in absent)
    total = SecAggRound(cohort, step=step, participants=participants, length=len(summands[0]))
    for secagg_client, vector in zip(secagg_clients, summands, strict=True):
        if secagg_client.place not in {*absent, *silent}:
            masked = secagg_client.mask(vector, step=step, participants=participants)
            total.take_input(secagg_client.key_pair.bakery, masked.to_bytes())
    return total


def unmasked(
    total: SecAggRound,
    secagg_clients: Sequence[SecAggClient],
    *,
    replying: Mapping[int, int] | None = None,
) -> Words:
    """Ask until there is a result; a bakery in `replying` replies so often and then vanishes."""
    left = dict(replying or {})
    while requests := total.unmask_requests():
        for bakery, request in requests.items():
            place = total.cohort.place(bakery)
            left[place] = left.get(place, len(secagg_clients)) - 1
            if left[place] >= 0:
                reply = secagg_clients[place].unmask(UnmaskRequest.from_bytes(request.to_bytes()))
                total.take_reply(bakery, reply.to_bytes())
    return total.result()


def refusal(call: object) -> str:
    """What a call says that is refused."""
    assert callable(call)
    try:
        call()
    except SecureSumError as error:
        return str(error)
    raise AssertionError("it wasn't refused")


def masked_by_all(
    secagg_clients: list[SecAggClient], summands: list[Words], *, step: int = 1
) -> list[MaskedInput]:
    everybody = secagg_clients[0].cohort.everybody
    return [
        secagg_client.mask(vector, step=step, participants=everybody)
        for secagg_client, vector in zip(secagg_clients, summands, strict=True)
    ]


def nonces_for(
    holder: SecAggClient, masked: Sequence[MaskedInput], senders: int
) -> tuple[bytes, ...]:
    """What the server would hand to a holder."""
    return tuple(
        masked[sender].nonce for sender in holder.cohort.neighbours_in(holder.place, senders)
    )


def shares_of(
    holder: SecAggClient, masked: Sequence[MaskedInput], senders: int, *, step: int = 1
) -> UnmaskRequest:
    return UnmaskRequest(step, SeedRequest.SHARES, senders, nonces_for(holder, masked, senders))


def opened_seed(sent: MaskedInput, tokens: Mapping[int, bytes], *, needed: int) -> int | None:
    """The seed of a self-mask, from tokens by their holder's number."""
    return reconstruct_seed(
        tokens,
        sent.corrections,
        needed=needed,
        fits=lambda seed: commit(seed, step=sent.step) == sent.commitment,
    )


def restarted(secagg_client: SecAggClient) -> SecAggClient:
    return read_client(write_client(secagg_client))
