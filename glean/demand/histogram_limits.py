"""The histograms that a server asks a bakery for, within what the run's settings allow."""

from __future__ import annotations

from functools import lru_cache

from glean.errors import RefusalError
from glean.federation.client.policy import STRUCTURES
from glean.learning.bin_layout import BinLayout
from glean.learning.histogram_request import HistogramRequest
from glean.settings import BoostingSettings


@lru_cache(maxsize=2)
def histogram_request(
    growth: str, layout: BinLayout, boosting: BoostingSettings
) -> HistogramRequest:
    """Read what is wanted; in one process, all bakeries get the same words.

    Raises
    ------
    RefusalError
        It is of more or deeper trees than the run's settings say.
    """
    found = HistogramRequest.from_json(growth, layout=layout)
    most = boosting.trees_per_round * boosting.num_parallel_tree
    depth = max(int(tree.splits.depths().max()) for tree in found.trees)
    if len(found.trees) > most or depth > boosting.max_depth:
        raise RefusalError(
            STRUCTURES,
            f"found a request for histograms of {len(found.trees)} trees, {depth} levels deep; "
            f"wanted at most {most} trees of {boosting.max_depth} levels, as the run's settings "
            "say. Nothing is sent",
        )
    return found
