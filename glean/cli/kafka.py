"""Kafka on the command line: `glean run` and `glean node` with an address that begins with it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from glean.cli.log_format import tell
from glean.cli.progress import following
from glean.cli.registry import sent_to_registry
from glean.cli.signals import ended_by_signals
from glean.errors import FederationError
from glean.settings import ConfigValue

if TYPE_CHECKING:
    from glean.operations.registry.sending import Registry

RUN_FAILED = 1


def run_on_kafka(address: str, given: Mapping[str, ConfigValue], registry: Registry | None) -> None:
    """Run a federation whose clients are reached by Kafka, and show its end.

    Parameters
    ----------
    address : str
        As it was typed.
    given : mapping
        Run config that was typed.
    registry : Registry or None
        Where the run and its model go to.
    """
    from glean.operations.running.kafka_run import (
        prepare_kafka_run,
        reach_brokers,
        run_over_kafka,
    )
    from glean.operations.running.progress import read_progress
    from glean.runs.index import COMPLETED, find_run

    prepared = prepare_kafka_run(address, given, os.environ)
    reach_brokers(prepared)
    began: list[int] = []
    with (
        ended_by_signals(),
        sent_to_registry(registry, prepared.results) as sent,
        following(prepared.results, prepared.rounds, prepared.language) as shown,
    ):

        def started(run_id: int) -> None:
            began.append(run_id)
            tell(f"run {run_id} is announced at {prepared.url}")
            for each in (shown, sent):
                each(run_id)

        try:
            folder = run_over_kafka(prepared, started)
        except KeyboardInterrupt:
            left = find_run(prepared.results, began[0]) if began else None
            if left is not None:
                tell(f"the run was ended. To go on with it: {prepared.resumed_by(left)}")
            raise
        except FederationError as error:
            if not began:
                raise
            tell(f"the run failed: {error}", level=logging.ERROR)
            raise typer.Exit(RUN_FAILED) from None
    run = read_progress(folder)
    if run.status != COMPLETED:
        tell(
            f"the run failed: {run.reason}\nits folder: {folder}\n"
            f"To go on with it: {prepared.resumed_by(folder)}",
            level=logging.ERROR,
        )
        raise typer.Exit(RUN_FAILED)
    from glean.cli.report import show_results

    show_results(folder)


def serve_on_kafka(address: str, config: Path) -> None:
    """Take part in runs over Kafka, until Ctrl-C or SIGTERM.

    Parameters
    ----------
    address : str
        As it was typed.
    config : Path
        File of the node config.
    """
    from glean.observability.log_context import add_log_fields
    from glean.operations.joining.bakery_node import read_node_config
    from glean.operations.joining.kafka_node import prepare_kafka_node, run_kafka_node

    prepared = prepare_kafka_node(address, read_node_config(config), os.environ)
    add_log_fields(bakery=prepared.name)
    with ended_by_signals():
        run_kafka_node(prepared)
