"""What a node uses of Flower's inner parts is there in the installed version.

`tests/system/test_lasting_nodes.py` has the same against a real SuperLink.
"""

from __future__ import annotations

import ast
from pathlib import Path

import httpx
import pytest

from glean.errors import FederationError
from glean.federation.node import flower_fleet
from glean.federation.node.flower_fleet import FlowerFleet, check_flower
from glean.federation.node.flower_parts import check_parts
from glean.federation.node.server_errors import (
    MessageLostError,
    NotAdmittedError,
    RunEndedError,
    UnreachableError,
    error_of,
)
from glean.privacy.certificate_folder import make_certificates
from glean.privacy.node_key import read_node_key
from tests.processes import free_port


def test_the_installed_flower_has_what_a_node_uses() -> None:
    """A version that moved or changed a part fails here, and at a bakery in words."""
    check_flower()


def test_a_flower_with_other_parts_is_refused_in_words() -> None:
    """The part is named, and what to install."""

    def activate(request: object, haste: bool) -> None:
        del request, haste

    with pytest.raises(
        FederationError, match=r"activate takes \(request haste\); wanted \(request\), as in"
    ):
        check_parts({activate: "request"})


def test_a_node_has_no_call_that_brings_code() -> None:
    """No message can make it fetch an app, for there is nothing that would: read in its source."""
    for path in Path(flower_fleet.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        for imported in ast.walk(tree):
            if isinstance(imported, ast.Import | ast.ImportFrom):
                names |= {alias.name for alias in imported.names}
        found = {name for name in names if "fab" in name.lower() or name.startswith("install_")}
        assert found <= {"fab_id", "fab_version"}, path
        assert not names & {"exec", "eval", "compile", "import_module", "__import__", "subprocess"}


@pytest.fixture
def fleet(tmp_path: Path) -> FlowerFleet:
    """Of a server that isn't there."""
    made = make_certificates(tmp_path / "keys", hosts=["127.0.0.1"], bakeries=["Hafen"])
    folder = made.bakeries["Hafen"]
    return FlowerFleet(
        f"127.0.0.1:{free_port()}", folder / "ca.crt", read_node_key(folder / "node-key")
    )


def test_nobody_there_is_said_so(fleet: FlowerFleet) -> None:
    """To be tried again, whatever is asked."""
    for call in (fleet.activate, lambda: fleet.heartbeat(1), lambda: fleet.pull(1)):
        with pytest.raises(UnreachableError, match="nobody answers at 127"):
            call()
    fleet.close()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, "", NotAdmittedError),
        (412, '{"code": 2004, "detail": "Failed to activate"}', NotAdmittedError),
        (403, '{"code": 2006, "detail": "The run has ended"}', RunEndedError),
        (403, '{"status": 403, "detail": "Hafen is shut out"}', NotAdmittedError),
        (403, "<html>", UnreachableError),
        (502, "", UnreachableError),
        (500, "", UnreachableError),
    ],
)
def test_a_server_s_word_is_told_from_a_gateway_s(
    status: int, body: str, error: type[Exception]
) -> None:
    """A gateway that refuses says nothing of the run."""
    found = error_of(httpx.Response(status, text=body))
    assert type(found) is error


def test_content_that_is_no_message_is_lost_and_breaks_nothing() -> None:
    """Whatever a server sends."""
    for content in (b"", b"Message  3\x00abc", b"Nonsense  0\x00", b"RecordDict  0\x00"):
        with pytest.raises(MessageLostError):
            flower_fleet._inflated("a", {"a": content})
    with pytest.raises(MessageLostError):
        flower_fleet._inflated("a", {})
