"""Certificate folders of three bakeries with awkward names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from glean.privacy.certificate_folder import CreatedFiles, make_certificates

HOSTS = ("glean.example.org", "192.0.2.7", "2001:db8::7")


BAKERIES = ("Rue Mouffetard", "L'Atelier", "面包")


FOLDERS = ("Rue-Mouffetard", "L-Atelier", "面包")


OF_A_BAKERY = {
    *("ca.crt", "members.json", "model-key.pub", "node-key", "node-key.pub", "signing-key"),
}


def made(
    folder: Path, hosts: Sequence[str] = HOSTS, bakeries: Sequence[str] = BAKERIES
) -> CreatedFiles:
    return make_certificates(folder, hosts=hosts, bakeries=bakeries)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
