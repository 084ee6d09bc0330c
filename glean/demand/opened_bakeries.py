"""The bakeries of a simulation, whose tables its server can open."""

from __future__ import annotations

from glean.features.bakery_rows import BakeryRows, bakery_rows_of
from glean.federation.server.conclusion import FinishedRounds
from glean.node_settings import NodeSettings


def opened_bakeries(run: FinishedRounds) -> list[BakeryRows]:
    """Open all bakeries of a simulation; none of a deployment, whose tables stay where they are."""
    if run.deployed:
        return []
    found = (
        bakery_rows_of(NodeSettings(info.partition), run.settings, newcomer=name in run.newcomers)
        for name, info in run.infos.items()
    )
    return [bakery for bakery in found if bakery is not None]
