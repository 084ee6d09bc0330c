"""`glean database`: which revision the service's tables have, and migrations by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.database_option import DatabaseOption
from glean.cli.errors import friendly_errors
from glean.regular_files import absolute_path

if TYPE_CHECKING:
    from glean.service.store.database import Database

app = typer.Typer(
    name="database",
    help="The service's tables: which revision they have, migrations by hand.",
    no_args_is_help=True,
)

ResultsOption = Annotated[
    Path, typer.Option(help="Folder of the run folders, as `glean serve` has it.")
]
RESULTS = Path("results")


@app.command()
@friendly_errors()
def show(results: ResultsOption = RESULTS, database: DatabaseOption = "") -> None:
    """Say where the database is, which revision its tables have, and which this version has."""
    from glean.service.store.database import latest_revision

    with _database_at(results, database) as found:
        typer.echo(f"database: {found.name}")
        typer.echo(f"tables: {found.revision() or 'none yet'}; this version's: {latest_revision()}")


@app.command()
@friendly_errors()
def upgrade(results: ResultsOption = RESULTS, database: DatabaseOption = "") -> None:
    """Bring the tables up to date with this version, as `glean serve` does when it starts."""
    with _database_at(results, database) as found:
        found.upgrade()
        typer.echo(f"tables: {found.revision()}")


@app.command()
@friendly_errors()
def downgrade(
    revision: Annotated[str, typer.Argument(help="Like 0005; what only later ones keep is lost.")],
    results: ResultsOption = RESULTS,
    database: DatabaseOption = "",
) -> None:
    """Take the tables back, for an earlier version of Glean; end its services and workers first."""
    from glean.service.serving_file import only_service
    from glean.service.settings import ServiceSettings

    home = ServiceSettings(results=absolute_path(results)).home
    with only_service(home), _database_at(results, database) as found:
        found.downgrade(revision)
        typer.echo(f"tables: {found.revision() or 'none'}")


@contextmanager
def _database_at(results: Path, url: str) -> Iterator[Database]:
    from glean.installed_packages import check_installed
    from glean.service.settings import ServiceSettings
    from glean.service.store.database import Database

    check_installed("alembic")
    settings = ServiceSettings(results=absolute_path(results), database=url)
    database = Database(settings.database_url)
    try:
        yield database
    finally:
        database.close()
