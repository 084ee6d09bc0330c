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
        typer.Option(help="Name or address by which nodes reach the server; may be repeated."),
    ] = None,
    member: Annotated[
        list[Path] | None,
        typer.Option(help="A member.json, from a bakery's or client's --own; may be repeated."),
    ] = None,
    bakery: Annotated[
        list[str] | None,
        typer.Option(
            help="Name of a bakery or client whose keys are made here too; for rehearsals."
        ),
    ] = None,
    own: Annotated[
        str, typer.Option(metavar="NAME", help="At a bakery or client: make its own keys in DIR.")
    ] = "",
    fingerprints: Annotated[
        bool, typer.Option("--fingerprints", help="Show those of DIR's members.json, to compare.")
    ] = False,
) -> None:
    """Make the certificates and keys of a federation across machines; nothing is overwritten.

    At a bakery or client: glean certificates DIR --own NAME. At the operator's: glean certificates
    DIR --host HOST --member FILE, and later --member FILE alone. Prints what to type next.
    """
    if own or fingerprints:
        _check_alone(bool(host or member or bakery or (own and fingerprints)))
        for line in _own_keys(folder, own) if own else _fingerprints(folder):
            typer.echo(line)
        return
    from glean.privacy.certificate_folder import make_certificates
    from glean.privacy.own_keys import read_public_halves

    members = [read_public_halves(path) for path in member or []]
    made = make_certificates(folder, hosts=host or [], bakeries=bakery or [], members=members)
    for line in (*_made(made), *_for_the_operator(made), *_for_the_bakeries(made)):
        typer.echo(line)


def _check_alone(others: bool) -> None:
    from glean.errors import SettingsError

    if others:
        raise SettingsError(
            "--own and --fingerprints are for a member: found other options beside one of them; "
            "wanted it alone"
        )


def _own_keys(folder: Path, bakery: str) -> Iterable[str]:
    from glean.privacy.own_keys import PUBLIC_FILE, make_own_keys

    made = make_own_keys(folder, bakery)
    yield f"in {made.folder}:"
    yield f"  node-key, signing-key: private, of {bakery}; they never leave this machine"
    yield f"  {PUBLIC_FILE}: their public halves; send it to the operator"
    yield ""
    yield f"fingerprint of the signing key: {made.fingerprint}"
    yield "read it to the other members, and have them read theirs, not by way of the operator"


def _fingerprints(folder: Path) -> Iterable[str]:
    from glean.privacy.model_key import ModelKey
    from glean.privacy.own_keys import members_in
    from glean.privacy.signing import fingerprint
    from glean.runs.model_card import KEY_FILE

    for member in members_in(folder):
        yield f"{fingerprint(member.signing_key)}  {member.bakery}"
    if (folder / KEY_FILE).exists():
        yield f"{ModelKey.read(folder / KEY_FILE).fingerprint}  (the server's key for models)"


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
        f"signing-key='{_SHOP}/keys/signing-key' members='{_SHOP}/keys/members.json' "
        f"model-key='{_SHOP}/keys/model-key.pub'"
    )


def _made(made: CreatedFiles) -> Iterable[str]:
    yield f"in {made.folder}:"
    if made.new:
        yield "  ca.crt, ca.key: the federation's own authority, for ten years"
    if made.certified and made.server is not None:
        hosts = ", ".join(made.server.hosts)
        yield f"  server.pem, server.key: for {hosts}, until {made.server.until}"
    if made.model_key:
        yield "  model-key, model-key.pub: by these the server signs models, and members know them"
    for bakery, home in made.bakeries.items():
        whose = "for" if bakery in made.own_keys else "keys of"
        yield f"  {home.relative_to(made.folder)}: {whose} {bakery}"
    if made.bakeries and not made.new:
        yield "members.json is new in all folders: send it to the members that were there before"
    if made.model_key and not made.new:
        yield "model-key.pub is new in all folders: send it to the members that were there before,"
        yield f"for their node config's model-key; on the server: {_variables(made.folder)}"
    if made.certified and not made.new:
        yield "start the SuperLink anew, and what stands before it, so that they take server.pem"


def _variables(folder: Path) -> str:
    """Write what the server's app is told: who the members are, and by which key it signs."""
    files = {"GLEAN_MEMBERS": "members.json", "GLEAN_MODEL_KEY": "model-key"}
    return " ".join(f"{name}={shlex.quote(str(folder / file))}" for name, file in files.items())


def _for_the_operator(made: CreatedFiles) -> Iterable[str]:
    if made.new:
        yield from ("", "On the server: start the SuperLink", "")
        yield f"  export {_variables(made.folder)}"
        yield from _command(superlink_command(made.folder))
        yield from ("", "and tell Flower of it, in ~/.flwr/config.toml (or FLWR_HOME's):", "")
        yield f"  [superlink.{CONNECTION}]"
        yield f"  address = {_toml(_INSIDE)}"
        yield f"  root-certificates = {_toml(str(made.folder / 'ca.crt'))}"
        yield ""
        yield "Whoever reaches this address can start runs: Flower asks for no password. Leave it"
        yield f"on this machine; docs/deployment.md says how to let members in by port {_PORT}."
    if made.bakeries:
        yield from ("", "Register each member's public key:", "")
        for home in made.bakeries.values():
            words = ["flwr", "supernode", "register", str(home / "node-key.pub"), CONNECTION]
            yield f"  {shlex.join(words)}"


def _for_the_bakeries(made: CreatedFiles) -> Iterable[str]:
    host = made.server.hosts[0] if made.server else "SERVER"
    for bakery, home in made.bakeries.items():
        if bakery in made.own_keys:
            files = "ca.crt, members.json and model-key.pub"
            goes = f"to which {files} of {home} go, into {_SHOP / 'keys'}"
        else:
            goes = f"to which {home} goes as {_SHOP / 'keys'}"
        yield from ("", f"At {bakery}, {goes}:", "")
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
