"""The members of the federation that a service serves, as its routes ask for them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from glean.service.membership.members import Members
from glean.service.services import services_of


def members_of(request: Request) -> Members:
    """Give them; the routes that ask are there only where there is a federation."""
    found = services_of(request).members
    assert found is not None, "routes of a federation are there only where there is one"
    return found


Federation = Annotated[Members, Depends(members_of)]
