"""`glean certificates`: a federation's certificates and keys, and the commands that come next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.cli.errors import friendly_errors

if TYPE_CHECKING:
    from glean.privacy.certificate_folder import CreatedFiles

CONNECTION = "bakeries"
"""How the printed commands call the SuperLink in Flower's configuration."""

_INSIDE = "127.0.0.1:8000"
_PORT = 443
_SHOP = Path("/srv/bakery")


@friendly_errors()
def certificates(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder for them; a later call adds to it.")
    ],
    host: Annotated[
        list[str] | None,
        typer.Option(help="Name or address by which bakeries reach the server; may be repeated."),
    ] = None,
    bakery: Annotated[
        list[str] | None, typer.Option(help="A bakery's name; may be repeated.")
    ] = None,
) -> None:
    """Make the certificates and keys of a federation across machines; nothing is overwritten.

    Prints what to type next. For bakeries that join later: glean certificates DIR --bakery NAME.
    """
    from glean.privacy.certificate_folder import make_certificates

    made = make_certificates(folder, hosts=host or [], bakeries=bakery or [])
    for line in (*_made(made), *_for_the_operator(made), *_for_the_bakeries(made)):
        typer.echo(line)


def superlink_command(folder: Path) -> list[str]:
    """Words that start the SuperLink."""
    host, port = _INSIDE.split(":")
    return [
        *("flower-superlink", "--host", host, "--port", port),
        *("--ssl-ca-certfile", str(folder / "ca.crt")),
        *("--ssl-certfile", str(folder / "server.pem")),
        *("--ssl-keyfile", str(folder / "server.key")),
        *("--enable-supernode-auth", "--disable-runtime-dependency-installation"),
        *("--database", str(folder / "superlink.db")),
    ]


def supernode_command(bakery: str, *, host: str) -> list[str]:
    """Words that start a bakery's SuperNode."""
    return [
        *("flower-supernode", "--superlink", f"{_in_address(host)}:{_PORT}"),
        *("--root-certificates", str(_SHOP / "keys" / "ca.crt")),
        *("--auth-supernode-private-key", str(_SHOP / "keys" / "node-key")),
        *("--node-config", node_config(bakery)),
    ]


def node_config(bakery: str) -> str:
    """Node config of a bakery, in Flower's writing: TOML strings side by side."""
    quote = '"' if "'" in bakery else "'"
    return (
        f"sales='{_SHOP}/sales.csv' bakery={quote}{bakery}{quote} home='{_SHOP}/glean' "
        f"signing-key='{_SHOP}/keys/signing-key' members='{_SHOP}/keys/members.json'"
    )


def _made(made: CreatedFiles) -> Iterable[str]:
    yield f"in {made.folder}:"
    if made.new:
        yield "  ca.crt, ca.key: the federation's own authority, for ten years"
    if made.certified and made.server is not None:
        hosts = ", ".join(made.server.hosts)
        yield f"  server.pem, server.key: for {hosts}, until {made.server.until}"
    for bakery, home in made.bakeries.items():
        yield f"  {home.relative_to(made.folder)}: keys of {bakery}"
    if made.bakeries and not made.new:
        yield "members.json is new in all folders: send it to the bakeries that were there before"
    if made.certified and not made.new:
        yield "start the SuperLink anew, and what stands before it, so that they take server.pem"


def _for_the_operator(made: CreatedFiles) -> Iterable[str]:
    if made.new:
        yield from ("", "On the server: start the SuperLink", "")
        yield from _command(superlink_command(made.folder))
        yield from ("", "and tell Flower of it, in ~/.flwr/config.toml (or FLWR_HOME's):", "")
        yield f"  [superlink.{CONNECTION}]"
        yield f"  address = {_toml(_INSIDE)}"
        yield f"  root-certificates = {_toml(str(made.folder / 'ca.crt'))}"
        yield ""
        yield "Whoever reaches this address can start runs: Flower asks for no password. Leave it"
        yield f"on this machine; docs/deployment.md says how to let bakeries in by port {_PORT}."
    if made.bakeries:
        yield from ("", "Register each bakery's public key:", "")
        for home in made.bakeries.values():
            words = ["flwr", "supernode", "register", str(home / "node-key.pub"), CONNECTION]
            yield f"  {shlex.join(words)}"


def _for_the_bakeries(made: CreatedFiles) -> Iterable[str]:
    host = made.server.hosts[0] if made.server else "SERVER"
    for bakery, home in made.bakeries.items():
        yield from ("", f"At {bakery}, to which {home} goes as {_SHOP / 'keys'}:", "")
        yield from _command(supernode_command(bakery, host=host))
    if made.bakeries:
        yield from ("", f"Then, on the server: glean run {CONNECTION}")


def _command(words: list[str]) -> Iterable[str]:
    """Write a command with each option on a line of its own."""
    lines: list[list[str]] = [[]]
    for word in words:
        if word.startswith("--"):
            lines.append([])
        lines[-1].append(word)
    texts = [" ".join(_quoted(word) for word in line) for line in lines]
    yield from (f"  {text} \\" for text in texts[:1])
    yield from (f"    {text} \\" for text in texts[1:-1])
    yield f"    {texts[-1]}"


def _quoted(word: str) -> str:
    """Quote a word for a shell, by double quotes where they do: a node config has single ones."""
    doubled = "'" in word and not set(word) & set('"$`\\!')
    return f'"{word}"' if doubled else shlex.quote(word)


def _toml(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
