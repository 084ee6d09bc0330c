"""`glean node`: a bakery's part in a federation across machines, until it is ended."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glean.cli.errors import friendly_errors
from glean.cli.log_format import LogFormat
from glean.cli.signals import ended_by_signals
from glean.errors import SettingsError
from glean.kafka.kafka_url import is_kafka


@friendly_errors()
def node(
    address: Annotated[
        str,
        typer.Argument(
            help="The server, like glean.example.org:443, or kafka://HOST:PORT/FEDERATION."
        ),
    ],
    config: Annotated[
        Path,
        typer.Option(help="TOML file of its node config: sales or images, home and so on."),
    ],
    root_certificates: Annotated[
        Path | None,
        typer.Option(help="The ca.crt of the operator: by it a server is known."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="The private node-key of this node, for a server.")
    ] = None,
    _: LogFormat = "text",
) -> None:
    """Take part in the runs of a server, with the Glean that is installed here.

    It waits for a server that can't be reached, and goes on until Ctrl-C or SIGTERM. Its log says
    what leaves this machine.
    """
    if is_kafka(address):
        from glean.cli.kafka import serve_on_kafka

        _check_without(root_certificates, key)
        serve_on_kafka(address, config)
        return
    from glean.observability.log_context import add_log_fields
    from glean.operations.joining.bakery_node import prepare_node, read_node_config, run_node

    authority = _wanted("--root-certificates", root_certificates)
    private_key = _wanted("--key", key)
    node_config = read_node_config(config)
    prepared = prepare_node(address, authority=authority, key=private_key, config=node_config)
    if node_config.get("bakery"):
        add_log_fields(bakery=node_config["bakery"])
    with ended_by_signals():
        run_node(prepared)


def _wanted(option: str, path: Path | None) -> Path:
    if path is None:
        raise SettingsError(
            f"found no {option}; wanted it for a server at HOST:PORT, as `glean certificates` made "
            "its file (only an address that begins with kafka goes without)"
        )
    return path


def _check_without(root_certificates: Path | None, key: Path | None) -> None:
    if root_certificates is not None or key is not None:
        raise SettingsError(
            "found --root-certificates or --key; wanted neither for Kafka: brokers are known by "
            "the file that GLEAN_KAFKA_CA names, and this node by signing-key in its --config"
        )
