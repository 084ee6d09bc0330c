"""`glean node`: a bakery's part in a federation across machines, until it is ended."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.cli.log_format import LogFormat
from glean.cli.signals import ended_by_signals


@friendly_errors()
def node(
    address: Annotated[str, typer.Argument(help="The server, like glean.example.org:443.")],
    root_certificates: Annotated[
        Path, typer.Option(help="The ca.crt of the operator: by it the server is known.")
    ],
    key: Annotated[Path, typer.Option(help="The private node-key of this node.")],
    config: Annotated[
        Path,
        typer.Option(help="TOML file of its node config: sales or images, home and so on."),
    ],
    _: LogFormat = "text",
) -> None:
    """Take part in the runs of a server, with the Glean that is installed here.

    It waits for a server that can't be reached, and goes on until Ctrl-C or SIGTERM. Its log says
    what leaves this machine.
    """
    from glean.observability.log_context import add_log_fields
    from glean.operations.joining.bakery_node import prepare_node, read_node_config, run_node

    node_config = read_node_config(config)
    prepared = prepare_node(address, authority=root_certificates, key=key, config=node_config)
    if node_config.get("bakery"):
        add_log_fields(bakery=node_config["bakery"])
    with ended_by_signals():
        run_node(prepared)
