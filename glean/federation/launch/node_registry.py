"""Which nodes a SuperLink lets in, brought in line with the members' node keys in one go.

A program of its own, as Flower's client costs 1.5 s and 100 MB: `python -m` with what is wanted on
standard input and the answer on standard output, JSON both. `flwr supernode register` would take
more than a second for each key. What it uses of Flower's inner parts is all here; `check_flower`
compares it with the installed version, and `tests/federation/launch/test_node_registry.py` runs it.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glean.errors import FederationError, GleanError

if TYPE_CHECKING:
    from flwr.supercore.control import ControlHttpClient

UNREGISTERED = "unregistered"
LIMIT_S = 60.0


@dataclass(frozen=True)
class RegisteredNodes:
    """What a SuperLink says of its nodes, after they were brought in line.

    Parameters
    ----------
    registered, unregistered : int
        How many were let in and shut out just now.
    spent : tuple of str
        Node keys that it lets in only once it was started anew: they were shut out before.
    states : mapping of str to str
        Of each node key that is let in, how its node stands, like "online".
    """

    registered: int = 0
    unregistered: int = 0
    spent: tuple[str, ...] = ()
    states: Mapping[str, str] = field(default_factory=dict)


def bring_in_line(
    address: str, authority: Path, keys: Sequence[str], *, environment: Mapping[str, str]
) -> RegisteredNodes:
    """Register the nodes of these keys at a SuperLink, and shut all others out.

    Parameters
    ----------
    address : str
        HOST:PORT of the SuperLink.
    authority : Path
        Certificate by which it is known.
    keys : sequence of str
        Node keys, as lines of OpenSSH.
    environment : mapping
        For the process that does it.

    Raises
    ------
    FederationError
        It doesn't answer, or refuses.
    """
    asked = {"address": address, "authority": str(authority), "keys": list(keys)}
    try:
        done = subprocess.run(  # noqa: S603 # nosec B603 # our own words
            [sys.executable, "-m", __name__],
            input=json.dumps(asked),
            env=dict(environment),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise FederationError(f"the SuperLink took more than {LIMIT_S:.0f} s") from None
    except (OSError, ValueError) as error:
        raise FederationError(f"the nodes' keys can't be registered: {error}") from error
    if "error" in answer:
        raise FederationError(f"the nodes' keys can't be registered: {answer['error']}")
    return RegisteredNodes(**{**answer, "spent": tuple(answer["spent"])})


def check_flower() -> None:
    """Refuse a version of Flower whose inner parts aren't those that this file was written for.

    Raises
    ------
    FederationError
        Names the part, and what to install.
    """
    from flwr.supercore.control import ControlHttpClient
    from flwr.supercore.interceptors.http.runtime_version import RuntimeVersionHttpInterceptor

    used: Mapping[Callable[..., Any], str] = {
        ControlHttpClient.from_server_address: (
            "server_address insecure root_certificates interceptors retry_invoker"
        ),
        ControlHttpClient.ListNodes: "self request",
        ControlHttpClient.RegisterNode: "self request",
        ControlHttpClient.UnregisterNode: "self request",
        RuntimeVersionHttpInterceptor: "component_name",
    }
    for part, wanted in used.items():
        found = " ".join(inspect.signature(part).parameters)
        if found != wanted:
            raise FederationError(
                f"found flwr {version('flwr')}, whose {part.__qualname__} takes ({found}); wanted "
                f"({wanted}), as in 1.41 and 1.42: install by `pip install -c constraints.txt`"
            )


def main() -> None:
    """Do what standard input asks for."""
    import httpx

    asked = json.load(sys.stdin)
    try:
        check_flower()
        answer: object = asdict(_apply(asked["address"], Path(asked["authority"]), asked["keys"]))
    except (GleanError, httpx.HTTPError, OSError, ValueError) as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
    json.dump(answer, sys.stdout)


def _apply(address: str, authority: Path, lines: Iterable[str]) -> RegisteredNodes:
    from flwr.supercore.control import ControlHttpClient
    from flwr.supercore.interceptors.http.runtime_version import RuntimeVersionHttpInterceptor

    from glean.privacy.node_key import encoded_node_key

    keys = {encoded_node_key(line): line for line in lines}
    with ControlHttpClient.from_server_address(
        address,
        False,
        authority.read_bytes(),
        interceptors=[RuntimeVersionHttpInterceptor(component_name="flwr CLI")],
    ) as client:
        return _brought_in_line(client, keys)


def _brought_in_line(client: ControlHttpClient, keys: Mapping[bytes, str]) -> RegisteredNodes:
    from flwr.proto.control_pb2 import RegisterNodeRequest, UnregisterNodeRequest

    found = _nodes(client)
    lacking = [key for key in keys if key not in found]
    for key in lacking:
        client.RegisterNode(RegisterNodeRequest(public_key=key))
    foreign = [
        node for key, node in found.items() if key not in keys and node.status != UNREGISTERED
    ]
    for node in foreign:
        _unregister(client, UnregisterNodeRequest(node_id=node.node_id))
    now = _nodes(client) if lacking or foreign else found
    # Flower keeps the keys of nodes that it has let go, and takes none of them a second time.
    spent = tuple(line for key, line in keys.items() if now[key].status == UNREGISTERED)
    states = {line: str(now[key].status) for key, line in keys.items() if line not in spent}
    return RegisteredNodes(len(lacking), len(foreign), spent, states)


def _nodes(client: ControlHttpClient) -> dict[bytes, Any]:
    from flwr.proto.control_pb2 import ListNodesRequest

    return {node.public_key: node for node in client.ListNodes(ListNodesRequest()).nodes_info}


def _unregister(client: ControlHttpClient, request: Any) -> None:
    import httpx

    try:
        client.UnregisterNode(request)
    except httpx.HTTPStatusError:
        # Of a node that never came it says "server error", having let it go.
        still = [n for n in _nodes(client).values() if n.node_id == request.node_id]
        if any(node.status != UNREGISTERED for node in still):
            raise


if __name__ == "__main__":
    main()
