"""`glean shop` as a baker starts it: a page within seconds, TLS on the network, nothing heavy."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from glean.errors import SettingsError
from glean.shop.serving import MOST_OF_A_DEVICE, listen
from glean.shop.settings import shop_settings
from tests import processes
from tests.shop.conftest import sales_rows
from tests.shop.shop_process import shop_process

SLIM = """
import sys
import glean.shop.serving, glean.cli.shop
heavy = {"pandas", "xgboost", "flwr", "numpy", "scipy", "sklearn", "pyarrow", "matplotlib", "ray"}
print(sorted(heavy & set(sys.modules)))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    found = tmp_path / "home"
    found.mkdir()
    sales_rows().to_csv(tmp_path / "sales.csv", index=False)
    (found / "bakery.toml").write_text(
        f'sales = "{tmp_path}/sales.csv"\nbakery = "Hansen"\nhome = "{found}"\n', "utf-8"
    )
    return found


def test_the_page_s_process_imports_nothing_heavy() -> None:
    """So that it is there in an instant and takes little memory."""
    done = subprocess.run(
        [sys.executable, "-c", SLIM], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


def test_a_busy_port_is_passed_over() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with listen("127.0.0.1", port) as second:
            assert second.getsockname()[1] != port


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="found no folder"):
        shop_settings(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="wanted --sales"):
        shop_settings(tmp_path)
    with pytest.raises(SettingsError, match="found no file"):
        shop_settings(tmp_path, sales=tmp_path / "none.csv")
    (tmp_path / "bakery.toml").write_text("sales = [", "utf-8")
    with pytest.raises(SettingsError, match="isn't valid TOML"):
        shop_settings(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_a_plan_is_there_within_seconds(home: Path) -> None:
    """From the home's own config; gone without a trace."""
    with shop_process(home, "--language", "de") as address:
        assert address.startswith("http://127.0.0.1:")
        processes.wait_until(
            lambda: "zu backen" in httpx2.get(address).text, "a plan is shown", limit_s=60
        )
        assert "Brötchen" in httpx2.get(address).text


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_on_the_network_it_speaks_tls_and_knows_no_stranger(home: Path) -> None:
    """By the home's root; without the token not a byte."""
    with shop_process(home, "--lan") as address:
        found = urlsplit(address)
        assert (found.scheme, found.path[:7]) == ("https", "/enter/")
        port = found.port
        trust = ssl.create_default_context(cafile=str(home / "shop" / "tls" / "ca.crt"))
        base = f"https://127.0.0.1:{port}"
        with httpx2.Client(base_url=base, verify=trust) as phone:
            for path in ("/", "/root.crt", "/sw.js", "/enter/x"):
                assert (phone.get(path).status_code, phone.get(path).content) == (404, b"")
            assert phone.get(found.path, follow_redirects=True).status_code == 200
        with ExitStack() as stack:
            lines = [
                stack.enter_context(socket.create_connection(("127.0.0.1", port or 0), timeout=20))
                for _ in range(MOST_OF_A_DEVICE + 5)
            ]
            # One device holds so many and no more; who says nothing is put out.
            assert lines[-1].recv(1) == b""
            assert lines[0].recv(1) == b""
        with socket.create_connection(("127.0.0.1", port or 0), timeout=10) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert not re.match(rb"HTTP", plain.recv(100))
