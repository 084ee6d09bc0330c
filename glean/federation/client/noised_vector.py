"""A client's noise on its part of a sum, and what it refuses to add to one where noise is wanted.

The noise is of the operating system's randomness, made anew for every vector; no seed leads to it,
and it is neither logged nor kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glean.errors import FederationError
from glean.federation.wire.noised_parts import NOISED_PARTS, part_deviation, scored_rounds
from glean.federation.wire.sum_request import CLIPPED_SCORE, SumRequest
from glean.privacy.discrete_gaussian import sample
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
    bare = sorted({*request.parts} - NOISED_PARTS)
    shown = [name for name in ("with_scores", "proposes") if getattr(request, name)]
    unmasked = ["an unmasked vector"] if request.parts and not request.masked else []
    if wrong := [*bare, *shown, *unmasked]:
        raise FederationError(
            f"the server asks for {', '.join(wrong)}, which a run with privacy=noise doesn't open; "
            f"wanted {', '.join(sorted(NOISED_PARTS))}, masked"
        )
    if CLIPPED_SCORE in request.parts and number not in (rounds := scored_rounds(settings)):
        raise FederationError(
            f"the server asks for a score of round {number}; this run scores "
            f"{', '.join(map(str, sorted(rounds)))}, as validation-scores says"
        )
    # Of a roster made larger each would add less; but then so many must be in the masks too.
    if request.parts and participants < (least := relied_on(request.num_clients)):
        raise FederationError(
            f"found {participants} bakeries in a sum whose noise relies on {least} of "
            f"{request.num_clients}; wanted as many"
        )


def noise_on(part: str, length: int, settings: RunSettings, *, parties: int) -> Encoded:
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

    Returns
    -------
    int64 array of shape (length,)
    """
    deviation = part_deviation(part, settings, parties=parties)
    return sample(deviation, length) if deviation else np.zeros(length, dtype=np.int64)
