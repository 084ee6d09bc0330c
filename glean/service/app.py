"""The application that `glean serve` serves, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from glean import __version__
from glean.federation.node.member_paths import REGISTRATION
from glean.service.api import (
    aliases,
    bakeries,
    datasets,
    forecasts,
    health,
    invitations,
    join,
    live,
    members,
    mesh,
    metrics,
    models,
    rehearsal,
    run_details,
    runs,
    superlink,
    tokens,
    workers,
)
from glean.service.body_limit import BodyLimit
from glean.service.gateway.gateway import Gateway
from glean.service.openapi import complete_openapi
from glean.service.problems import answer_problems
from glean.service.request_log import RequestLog
from glean.service.services import Services
from glean.service.web import static_files
from glean.service.web.pages import (
    accounts,
    compare,
    data,
    docs,
    login,
    new_run,
    overview,
)
from glean.service.web.pages import bakeries as bakery_pages
from glean.service.web.pages import join as join_page
from glean.service.web.pages import members as member_pages
from glean.service.web.pages import mesh as mesh_page
from glean.service.web.pages import models as model_pages
from glean.service.web.pages import rehearsal as rehearsal_page
from glean.service.web.pages import runs as run_pages
from glean.web.headers import SecurityHeaders

_ROUTERS = (
    health,
    runs,
    run_details,
    live,
    bakeries,
    datasets,
    models,
    forecasts,
    rehearsal,
    tokens,
    aliases,
    metrics,
    workers,
)
_PAGES = (
    login,
    overview,
    new_run,
    run_pages,
    compare,
    model_pages,
    data,
    bakery_pages,
    rehearsal_page,
    accounts,
    docs,
    static_files,
)
_OF_A_FEDERATION = (members, invitations, superlink, join, member_pages, join_page)
"""Routes of a service that bakeries reach; others answer them by 404."""

_OF_A_MESH = (mesh, mesh_page)
"""Routes of a service that was named the home of a peer."""

DESCRIPTION = """
Runs of federated learning, the tables that simulations learn from, versions of the model, forecasts
and bake plans.

Every request but `/healthz` and `/readyz` has a token: `Authorization: Bearer glean_...`. What goes
wrong is answered by `application/problem+json` (RFC 9457), all fields that are wrong in one go.
"""


def create_app(services: Services) -> FastAPI:
    """Put the application of a service together.

    Parameters
    ----------
    services : Services
        Its parts; closed when the application ends.
    """

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        services.say_what_holds()
        services.supervisor.start()
        if services.superlink is not None:
            services.superlink.start()
        services.alerts.start()
        if services.broker is not None:
            services.broker.start()
        if services.storage is not None:
            services.storage.start()
        if services.registry is not None:
            services.registry.start()
        yield
        await run_in_threadpool(services.close)

    app = FastAPI(
        title="Glean",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        separate_input_output_schemas=False,
    )
    app.state.services = services
    answer_problems(app)
    federation = _OF_A_FEDERATION if services.members is not None else ()
    of_mesh = _OF_A_MESH if services.settings.mesh is not None else ()
    for module in (*_ROUTERS, *_PAGES, *federation, *of_mesh):
        app.include_router(module.router)
    complete_openapi(app)
    app.add_middleware(
        BodyLimit,
        uploads=(datasets.router.prefix, data.PATH),
        upload_mb=services.settings.upload_mb,
        small=(REGISTRATION,),
    )
    app.add_middleware(RequestLog)
    app.add_middleware(SecurityHeaders, tls=services.settings.secure_cookies)
    if services.members is not None:
        assert services.superlink is not None, "members have a SuperLink"
        app.add_middleware(Gateway, members=services.members, superlink=services.superlink)
    return app
