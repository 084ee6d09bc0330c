"""Where the service keeps its federation: keys, the log of members' keys, its SuperLink's home."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FederationFolder:
    """Paths in it.

    Parameters
    ----------
    path : Path
        The folder, absolute.
    """

    path: Path

    @property
    def authority(self) -> Path:
        """Certificate by which everybody knows the server."""
        return self.path / "ca.crt"

    @property
    def roots(self) -> Path:
        """Certificates by which bakeries know the service: `authority`, or those of a given one."""
        return self.path / "roots.pem"

    @property
    def certificate(self) -> Path:
        """The server's own, with its chain."""
        return self.path / "server.pem"

    @property
    def private_key(self) -> Path:
        """The private key of that."""
        return self.path / "server.key"

    @property
    def model_key(self) -> Path:
        """By this models and the log of keys are signed."""
        return self.path / "model-key"

    @property
    def public_model_key(self) -> Path:
        """Its public half."""
        return self.path / "model-key.pub"

    @property
    def key_log(self) -> Path:
        """Who is a member, from the first to the last event."""
        return self.path / "key-log.jsonl"

    @property
    def members(self) -> Path:
        """The same as a list, for ServerApps."""
        return self.path / "members.json"

    @property
    def flower_home(self) -> Path:
        """FLWR_HOME of the SuperLink and of commands to it."""
        return self.path / "flower"

    @property
    def facts(self) -> Path:
        """JSON: "name", "address" (HOST:PORT), "authority" (SHA-256 of its DER, hexadecimal)."""
        return self.path / "federation.json"

    @property
    def request_journal(self) -> Path:
        """Time and nonce of each request that members have sent lately."""
        return self.path / "requests.log"

    @property
    def superlink_log(self) -> Path:
        """What the SuperLink printed."""
        return self.path / "superlink.log"


def federation_folder(results: Path) -> FederationFolder:
    """Give the folder of the federation that is served with the run folders in `results`."""
    return FederationFolder(results / ".service" / "federation")
