"""`glean rehearse`: a whole federation on this machine, before anyone travels."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.cli.signals import ended_by_signals


@friendly_errors()
def rehearse(
    bakeries: Annotated[
        int, typer.Option(min=3, max=20, help="How many shops, each with a synthetic table.")
    ] = 5,
    rounds: Annotated[int, typer.Option(min=1, max=1000, help="Rounds of the run.")] = 3,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave all of it up after the run, until Ctrl-C.")
    ] = False,
    pages: Annotated[
        bool, typer.Option("--pages/--no-pages", help="Whether each shop has its page too.")
    ] = True,
) -> None:
    """Rehearse a federation here: service, SuperLink, shops that join by invitation, and a run.

    All of it lies in a temporary folder and is taken down at the end, and by Ctrl-C at any moment.
    """
    from glean.installed_packages import check_installed
    from glean.languages.language import ENGLISH
    from glean.operations.rehearsal import rehearsal_steps as steps
    from glean.operations.rehearsal.rehearsal import rehearse as bring_up
    from glean.operations.rehearsal.rehearsal_plan import RehearsalPlan

    check_installed("alembic", "plotly", "fastapi_offline")
    plan = RehearsalPlan(bakeries=bakeries, rounds=rounds, pages=pages)

    def tell(step: steps.RehearsalStep) -> None:
        typer.echo(step.said(ENGLISH))

    with ended_by_signals(), bring_up(plan, tell) as found:
        for name, state in found.members.items():
            typer.echo(f"  {name}: {state}")
        if keep:
            values = {"address": found.address, "token": found.token}
            tell(steps.RehearsalStep(steps.READY, values))
            while True:
                time.sleep(1)
