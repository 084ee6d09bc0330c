"""A client's noise on its part of a sum, and what it refuses to add to one where noise is wanted.

The noise is of the operating system's randomness, made anew for every vector; no seed leads to it,
and it is neither logged nor kept. Only where a simulation hides whole clients, which it can't, does
it follow from the run's seed: the same seed gives the same bytes there.
"""

from __future__ import annotations

import hashlib
import secrets

import numpy as np
from numpy.typing import NDArray

from glean.errors import FederationError
from glean.federation.wire.noised_parts import noised_parts_of, part_deviation, scored_rounds
from glean.federation.wire.sum_request import CLIPPED_SCORE, SumRequest
from glean.privacy.discrete_gaussian import RandomBytes, sample
from glean.privacy.keyed_noise import KeyedNoise, derived_key
from glean.privacy.noise_budget import relied_on
from glean.settings import RunSettings

Encoded = NDArray[np.int64]


def check_noised(
    request: SumRequest, settings: RunSettings, *, participants: int, number: int
) -> None:
    """Refuse what a run with noise doesn't open, whatever the server asks for.

    Parameters
    ----------
    request : SumRequest
        What it asks for.
    settings : RunSettings
        The run's.
    participants : int
        Bakeries in this sum's masks whom the owner has confirmed: those whose noise counts.
    number : int
        The round.

    Raises
    ------
    FederationError
        A part carries no noise, the vector isn't to be masked, scores or trees are wanted as they
        are or in a round without a score, or fewer take part than the noise of such a roster relies
        on.
    """
    if not settings.noise.wanted:
        return
    opens = noised_parts_of(settings)
    bare = sorted({*request.parts} - opens)
    shown = [name for name in ("with_scores", "proposes") if getattr(request, name)]
    unmasked = ["an unmasked vector"] if request.parts and not request.masked else []
    if wrong := [*bare, *shown, *unmasked]:
        raise FederationError(
            f"the server asks for {', '.join(wrong)}, which a run with "
            f"privacy={settings.noise.privacy} doesn't open; wanted {', '.join(sorted(opens))}, "
            "masked"
        )
    if CLIPPED_SCORE in request.parts and number not in (rounds := scored_rounds(settings)):
        raise FederationError(
            f"the server asks for a score of round {number}; this run scores "
            f"{', '.join(map(str, sorted(rounds)))}, as validation-scores says"
        )
    # Of a roster made larger each would add less; but then so many must be in the masks too.
    if request.parts and participants < (least := relied_on(request.num_clients)):
        raise FederationError(
            f"found {participants} contributors in a sum whose noise relies on {least} of "
            f"{request.num_clients}; wanted as many"
        )


def noise_source(settings: RunSettings, name: str, about: str, *, own_table: bool) -> RandomBytes:
    """Give what a client's noise is drawn from.

    Parameters
    ----------
    settings : RunSettings
        The run's.
    name : str
        The client's.
    about : str
        What the noise is for, so that no other has the same.
    own_table : bool
        Whether the data is its own; only a simulation's noise may follow from a seed.
    """
    if own_table or not settings.noise.by_client:
        return secrets.token_bytes
    secret = hashlib.sha256(f"{settings.seed}\0{name}".encode()).digest()
    return KeyedNoise(derived_key(secret, about.encode())).random_bytes


def noise_on(
    part: str,
    length: int,
    settings: RunSettings,
    *,
    parties: int,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> Encoded:
    """Draw this client's noise on a part; zeros where none is wanted.

    Parameters
    ----------
    part : str
        One of `NOISED_PARTS`.
    length : int
        Numbers of the part.
    settings : RunSettings
        The run's.
    parties : int
        Bakeries of the roster, on two thirds of which the noise counts.
    random_bytes : callable
        Where randomness comes from, as `noise_source` says.

    Returns
    -------
    int64 array of shape (length,)
    """
    deviation = part_deviation(part, settings, parties=parties)
    if not deviation:
        return np.zeros(length, dtype=np.int64)
    return sample(deviation, length, random_bytes=random_bytes)
