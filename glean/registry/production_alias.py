"""The alias `production` and what the control room has in production: either follows the other."""

from __future__ import annotations

from dataclasses import dataclass

from glean.registry.model_uri import PRODUCTION
from glean.registry.tracking_server import TrackingServer


@dataclass(frozen=True)
class ProductionLook:
    """What one look found and did.

    Parameters
    ----------
    agreed : str
        The run whose model both have in production, as far as that is known; "" for none.
    promote : str
        The run that somebody moved the alias to: the control room is to follow. "" for none.
    stranger : int
        The version that somebody moved the alias to and that no run of Glean's made; 0 for none.
    """

    agreed: str
    promote: str = ""
    stranger: int = 0


def follow_production(
    server: TrackingServer, model: str, *, here: str, agreed: str
) -> ProductionLook:
    """Move the alias to what the control room has in production, or say what it has to promote.

    Where both were changed since they last agreed, the control room counts.

    Parameters
    ----------
    server : TrackingServer
        The registry.
    model : str
        Name of the registered model.
    here : str
        Glean's id of the run whose model the control room has in production; "" for none.
    agreed : str
        What both had when they were last looked at.

    Raises
    ------
    RegistryDownError, RegistryRefusedError
        As the server does.
    """
    found = server.version_at(model, PRODUCTION)
    there = found.run_id if found is not None else ""
    if here == there:
        return ProductionLook(here)
    stranger = found.number if found is not None and not there else 0
    moved_there = stranger or (there and there != agreed)
    if here and (here != agreed or not moved_there):
        versions = server.find_versions(model, here)
        if versions:  # else it is still to be sent
            server.set_alias(model, PRODUCTION, versions[0])
            return ProductionLook(here)
        return ProductionLook(agreed)
    return ProductionLook(agreed, promote=there, stranger=stranger)
