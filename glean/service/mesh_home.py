"""The mesh that a service shows, as its routes ask for it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from glean.mesh.mesh_home import MeshHome
from glean.mesh.mesh_status import MeshStatus, mesh_status
from glean.service.services import services_of


def status_of(request: Request) -> MeshStatus:
    """Read how the peer and its mesh stand; the routes that ask are there only with a home."""
    home = services_of(request).settings.mesh
    assert home is not None, "routes of a mesh are there only where a home was named"
    return mesh_status(MeshHome(home))


MeshStatusOf = Annotated[MeshStatus, Depends(status_of)]
