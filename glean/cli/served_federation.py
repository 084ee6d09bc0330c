"""What `glean serve --public NAME` is told of its federation, and what it says of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glean.errors import SettingsError
from glean.federation_folder import federation_folder
from glean.regular_files import absolute_path

if TYPE_CHECKING:
    from glean.service.serving import Listening
    from glean.service.superlink.federation_start import FederationStart

PublicOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Let bakeries in: the name or address by which they reach this machine.",
    ),
]
RootsOption = Annotated[
    Path | None,
    typer.Option(help="With --public and --certificate: the roots that bakeries shall trust."),
]
CertificatesOption = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", help="With --public: a folder of `glean certificates` to begin with."
    ),
]


@dataclass
class ServedFederation:
    """What is about to be served besides pages: a federation, or none.

    Parameters
    ----------
    start : FederationStart or None
        What it is made of; None where there is none.
    given : Listening
        Where the service listens, as it was typed.
    new : bool
        Whether it was made just now.
    """

    start: FederationStart | None
    given: Listening
    new: bool = False

    def path(self, results: Path) -> Path | None:
        """Where its keys are; None where there is none."""
        return federation_folder(results).path if self.start else None

    def listening(self, results: Path) -> Listening:
        """Make its keys and certificates, where they aren't there; where the service listens then.

        Raises
        ------
        GleanError
            They can't be made.
        """
        from glean.service.superlink.federation_start import begin_federation

        if self.start is None:
            return self.given
        folder = federation_folder(results)
        self.new = begin_federation(folder, self.start)
        if self.given.by_tls:
            return replace(self.given, public=True)
        return replace(
            self.given,
            certificate=folder.certificate,
            private_key=folder.private_key,
            public=True,
        )

    def welcome(self, results: Path, address: str) -> Iterable[str]:
        """Write down its address for invitations; say it, and what comes next."""
        from glean.service.superlink.federation_start import say_address

        if self.start is None:
            yield f"serving {address}"
            return
        folder = federation_folder(results)
        port = int(address.rstrip("/").rpartition(":")[2])
        yield f"serving https://{say_address(folder, self.start, port)}/"
        if self.new:
            yield f"the federation's keys are new, in {folder.path}: keep a copy where it is safe"
        usual = results == absolute_path(Path("results"))
        there = "" if usual else f" --results {shlex.quote(str(results))}"
        yield f"invite a bakery: glean invite 'Name of the bakery'{there}"


def read_federation(
    public: str, given: Listening, host: str, roots: Path | None, certificates: Path | None
) -> ServedFederation:
    """Read what was typed of a federation.

    Parameters
    ----------
    public : str
        The name by which bakeries reach it, "" where they don't.
    given : Listening
        Where it listens.
    host : str
        Address to listen at, "" where none was typed.
    roots : Path, optional
        Roots of the certificate that was given.
    certificates : Path, optional
        A folder of `glean certificates`.

    Raises
    ------
    SettingsError
        It doesn't go together.
    """
    if not public:
        if roots is not None or certificates is not None:
            raise SettingsError(
                "--root-certificates and --certificates say how bakeries know this server; wanted "
                "--public NAME with them"
            )
        return ServedFederation(None, given)
    from glean.service.superlink.federation_start import FederationStart
    from glean.service.superlink.public_name import PublicName

    if (roots is None) == given.by_tls:
        raise SettingsError(
            "--root-certificates: wanted with --public where a certificate of one's own is given "
            "(--certificate or --behind-proxy), and only there: the roots by which bakeries know it"
        )
    name = PublicName.read(public)
    where = host or (given.host if given.behind_proxy else name.wildcard)
    return ServedFederation(FederationStart(name, certificates, roots), replace(given, host=where))
