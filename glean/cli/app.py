"""The command `glean`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from glean import __version__
from glean.cli.certificates import certificates
from glean.cli.data import app as data_app
from glean.cli.database import app as database_app
from glean.cli.dev import dev
from glean.cli.errors import friendly_errors
from glean.cli.invite import invite
from glean.cli.join import join, leave, members
from glean.cli.memory import Memory, limit_memory
from glean.cli.mesh import app as mesh_app
from glean.cli.model_card import model_card
from glean.cli.node import node
from glean.cli.plan import forecast, plan
from glean.cli.privacy_curve import privacy_curve
from glean.cli.privacy_ledger import privacy_ledger
from glean.cli.registry import app as registry_app
from glean.cli.rehearse import rehearse
from glean.cli.run import run
from glean.cli.serve import serve
from glean.cli.shop import shop
from glean.cli.simulate import simulate
from glean.cli.status import status
from glean.cli.storage import app as storage_app
from glean.cli.worker import worker
from glean.cli.workers import Workers, share_work_out
from glean.regular_files import absolute_path

DAILY = "At a bakery"
FEDERATION = "A federation"
LOOKING = "What a run did and gave away"

EXAMPLES = """
At a bakery:

    glean data import till.csv --out my.csv

    glean plan --model HOME --sales my.csv

A federation:

    glean simulate --sales bakeries.csv --set holiday-region=DE-NI

What a run did and gave away:

    glean report results/latest
"""
"""A command of each group."""

app = typer.Typer(
    name="glean",
    help="Federated demand forecasting for small bakeries.",
    epilog=EXAMPLES,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)
app.add_typer(data_app, rich_help_panel=DAILY)
app.add_typer(storage_app, rich_help_panel=FEDERATION)
app.command(rich_help_panel=DAILY)(shop)
app.command(rich_help_panel=DAILY)(plan)
app.command(rich_help_panel=DAILY)(forecast)
app.command(rich_help_panel=DAILY)(join)
app.command(rich_help_panel=DAILY)(leave)
app.command(rich_help_panel=DAILY)(members)
app.command(rich_help_panel=DAILY)(node)
app.command(rich_help_panel=FEDERATION)(simulate)
app.command(rich_help_panel=FEDERATION)(run)
app.command(rich_help_panel=FEDERATION)(serve)
app.command(rich_help_panel=FEDERATION)(worker)
app.command(rich_help_panel=FEDERATION)(invite)
app.command(rich_help_panel=FEDERATION)(status)
app.add_typer(database_app, rich_help_panel=FEDERATION)
app.command(rich_help_panel=FEDERATION)(rehearse)
app.command(rich_help_panel=FEDERATION)(dev)
app.command(rich_help_panel=FEDERATION)(certificates)
app.add_typer(mesh_app, rich_help_panel=FEDERATION)
app.add_typer(registry_app, rich_help_panel=FEDERATION)
app.command(rich_help_panel=LOOKING)(model_card)
app.command(rich_help_panel=LOOKING)(privacy_ledger)
app.command(rich_help_panel=LOOKING)(privacy_curve)


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def glean(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_say_version, is_eager=True, help="Say which version this is."
        ),
    ] = False,
) -> None:
    """Federated demand forecasting for small bakeries."""


@app.command(rich_help_panel=FEDERATION)
@friendly_errors()
def setup() -> None:
    """Add Glean's connections to Flower's configuration; nothing else in it changes."""
    from glean.federation.launch.connections import CONNECTIONS, add_connections, flower_home

    added = add_connections()
    present = [name for name in CONNECTIONS if name not in added]
    for name in added:
        typer.echo(f"added the connection {name!r} to {flower_home() / 'config.toml'}")
    if present:
        typer.echo(f"already there: {', '.join(present)}")


@app.command(rich_help_panel=LOOKING)
@friendly_errors()
def report(
    run: Annotated[
        Path, typer.Argument(help="Run folder, like results/latest, or a bakery's home.")
    ],
    growth: Annotated[
        bool, typer.Option(help="Measure whether it gets better as more bakeries join.")
    ] = True,
    bakery: Annotated[
        str, typer.Option(help="Write one bakery's own page, for its owner, instead.")
    ] = "",
    workers: Workers = 0,
    memory: Memory = "",
    language: Annotated[
        Literal["en", "de", "fr"],
        typer.Option(help="Of the page, and of what is shown here."),
    ] = "en",
    habit: Annotated[
        Literal["weekday-mean", "last-week"] | None,
        typer.Option(
            help="Of a home: what its page compares the plan with; by default the habit that was "
            "closer on the test days."
        ),
    ] = None,
) -> None:
    """Write the report of a run anew, or that of a bakery that took part, from its home."""
    share_work_out(workers)
    limit_memory(memory)
    from glean.cli.report import show_home_report, show_report
    from glean.languages.language import language as language_of
    from glean.runs.client_home import is_home
    from glean.runs.index import is_run

    speaks = language_of(language)
    if is_home(run) and not is_run(run):
        show_home_report(run, speaks, bakery=bakery, habit=habit or "")
        return
    if bakery:
        from glean.operations.reports.report import write_client_page

        typer.echo(f"page of {bakery}: {write_client_page(absolute_path(run), bakery, speaks)}")
        return
    show_report(run, speaks, growth=growth)


@app.command(rich_help_panel=LOOKING)
@friendly_errors()
def audit(
    run: Annotated[Path, typer.Argument(help="Folder of a finished simulation.")],
    language: Annotated[
        Literal["en", "de", "fr"],
        typer.Option(help="Of the page, and of what is shown here; of the demand: en."),
    ] = "en",
) -> None:
    """Attack a run with what its server and a member received, and say what they could read."""
    from glean.languages.language import language as language_of
    from glean.operations.reports.audit import write_audit

    def said(text: str) -> None:
        typer.echo(f"{text} ...", err=True)

    written = write_audit(absolute_path(run), said, language_of(language))
    for sentence in written.gist:
        typer.echo(sentence)
    typer.echo(f"page: {written.page}\nfigures: {written.figures}")


@app.command(hidden=True)
def version() -> None:
    """Say which version this is."""
    typer.echo(__version__)
