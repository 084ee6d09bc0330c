"""`glean serve`: the control room, in a browser and for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.broker import BrokerOption, broker_url
from glean.cli.database_option import DatabaseOption
from glean.cli.errors import friendly_errors
from glean.cli.log_format import LogFormat, tell
from glean.cli.registry import MlflowOption, RegisteredModelOption, address_of
from glean.cli.served_federation import (
    CertificatesOption,
    PublicOption,
    RootsOption,
    ServedFederation,
    read_federation,
)
from glean.cli.uploads import StorageOption, UploadOption, storage_url
from glean.registry.model_uri import DEFAULT_NAME
from glean.regular_files import absolute_path

if TYPE_CHECKING:
    from glean.service.serving import Listening
    from glean.service.settings import ServiceSettings

HOST, PORT = "127.0.0.1", 8700

RunsAtOnceOption = Annotated[
    int,
    typer.Option(min=0, help="How many runs may go on at once; others wait. 0: workers run them."),
]

WebhookOption = Annotated[
    list[str] | None,
    typer.Option(
        "--webhook",
        envvar="GLEAN_WEBHOOKS",
        metavar="URL",
        help="Told when a run fails or a bakery stays away (JSON); may be repeated.",
    ),
]

InitOption = Annotated[
    bool, typer.Option("--init", help="Make the first token and print it, once; then serve.")
]
HostOption = Annotated[
    str, typer.Option(help=f"Address to listen at; {HOST}, or with --public all.")
]
BehindProxyOption = Annotated[
    bool, typer.Option("--behind-proxy", help="A proxy on this machine speaks HTTPS for it.")
]
MissingDaysOption = Annotated[
    int, typer.Option(min=1, help="Days after which a bakery is said to stay away.")
]
MeshOption = Annotated[
    Path | None,
    typer.Option(metavar="HOME", help="Home of a peer of a mesh: its mesh has a page too."),
]
RebuildOption = Annotated[
    bool, typer.Option("--rebuild", help="Make the list of runs anew from the folder, and end.")
]


@friendly_errors()
def serve(
    results: Annotated[Path, typer.Option(help="Folder of the run folders.")] = Path("results"),
    init: InitOption = False,
    public: PublicOption = "",
    host: HostOption = "",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = PORT,
    certificate: Annotated[Path | None, typer.Option(help="For HTTPS: a PEM file.")] = None,
    private_key: Annotated[Path | None, typer.Option(help="For HTTPS: its private key.")] = None,
    root_certificates: RootsOption = None,
    certificates: CertificatesOption = None,
    behind_proxy: BehindProxyOption = False,
    runs_at_once: RunsAtOnceOption = 1,
    webhook: WebhookOption = None,
    missing_days: MissingDaysOption = 3,
    database: DatabaseOption = "",
    broker: BrokerOption = "",
    storage: StorageOption = "",
    upload: UploadOption = "run",
    mesh: MeshOption = None,
    mlflow: MlflowOption = "",
    registered_model: RegisteredModelOption = DEFAULT_NAME,
    rebuild: RebuildOption = False,
    _: LogFormat = "text",
) -> None:
    """Serve the control room: pages to start and watch runs, and a REST API.

    Simulations go on when it ends, however it ends, and it finds them again. With --public NAME it
    serves a federation too: bakeries join by invitation, and come by the same port; a run of theirs
    waits while it is gone, and goes on from its last checkpoint.
    """
    from glean.installed_packages import check_installed
    from glean.service.serving import Listening
    from glean.service.settings import ServiceSettings

    check_installed("alembic", "plotly", "fastapi_offline")
    results, webhooks = absolute_path(results), tuple(webhook or ())
    given = Listening(host or HOST, port, certificate, private_key, behind_proxy)
    federation = read_federation(public, given, host, root_certificates, certificates)
    listening = federation.listening(results)
    listening.check()
    settings = ServiceSettings(
        results=results,
        database=database,
        runs_at_once=runs_at_once,
        webhooks=webhooks,
        missing_days=missing_days,
        federation=federation.path(results),
        storage=storage_url(storage),
        upload=upload,
        secure_cookies=listening.by_tls,
        mesh=mesh_home_path(mesh),
        registry=address_of(mlflow),
        registered_model=registered_model,
        broker=broker_url(broker),
    )
    _serve(settings, listening, federation, init=init, rebuild=rebuild)


def _serve(
    settings: ServiceSettings,
    listening: Listening,
    federation: ServedFederation,
    *,
    init: bool,
    rebuild: bool,
) -> None:
    from glean.service.serving import initialise
    from glean.service.serving import rebuild as rebuild_list
    from glean.service.serving import serve as serve_there

    if rebuild:
        typer.echo(f"{rebuild_list(settings)} runs found in {settings.results}")
        return
    if init:
        _say_token(initialise(settings))

    def ready(address: str) -> None:
        for line in federation.welcome(settings.results, address):
            tell(line)

    serve_there(settings, listening, ready)


def mesh_home_path(mesh: Path | None) -> Path | None:
    """Check the home of a peer; None where none was named.

    Raises
    ------
    MembershipError
        It isn't one.
    """
    if mesh is None:
        return None
    from glean.mesh.mesh_home import mesh_home_of

    return mesh_home_of(mesh).path


def _say_token(token: str | None) -> None:
    if token is None:
        tell("there is a first token already; whoever has it can make others")
        return
    typer.echo(f"token: {token}")
    tell("It may do everything and isn't shown again: keep it safe.")
