"""A federation's folder, as `glean serve --public` keeps it, and bakeries that join it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from glean.federation_folder import FederationFolder, federation_folder
from glean.privacy.certificate_folder import make_certificates
from glean.privacy.members import BakeryKeys, new_keys

ADDRESS = "bakers.example:8700"


def make_federation(results: Path) -> FederationFolder:
    """Make the folder in which a service of these results keeps its federation."""
    folder = federation_folder(results)
    make_certificates(folder.path, hosts=["bakers.example"])
    authority = x509.load_pem_x509_certificate(folder.authority.read_bytes())
    facts = {
        "name": "bakers.example",
        "address": ADDRESS,
        "authority": hashlib.sha256(authority.public_bytes(Encoding.DER)).hexdigest(),
    }
    folder.facts.write_text(json.dumps(facts), encoding="utf-8")
    return folder


def keys_of(bakery: str) -> BakeryKeys:
    """Make the keys of a bakery."""
    return new_keys(bakery)
