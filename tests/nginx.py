"""nginx with servers as the docs have them, in a scratch folder."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.deployment import kill_tree, read_log, started
from tests.processes import wait_until

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")


def documented_server(page: Path, here: Mapping[str, object]) -> str:
    """Give the one server that a page of the docs has, with what is different here put in."""
    (server,) = re.findall(r"```nginx\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for documented, found in here.items():
        assert documented in server
        server = server.replace(documented, str(found))
    return str(server)


@contextmanager
def nginx(server: str, folder: Path, env: dict[str, str]) -> Iterator[None]:
    """nginx with a server, ended at the end of the body."""
    temporary = "".join(
        f"{kind}_temp_path {folder / kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    head = f"user root;\npid {folder / 'pid'};\ndaemon off;\nevents {{}}\n"
    http = f"http {{\naccess_log off;\n{temporary}\n{server}\n}}\n"
    (folder / "nginx.conf").write_text(head + http, encoding="utf-8")
    log = folder / "nginx.log"
    command = (NGINX or "", "-e", log, "-c", folder / "nginx.conf")
    process = started(*command, cwd=folder, env=env, log=log)
    try:
        wait_until(lambda: (folder / "pid").exists() or process.poll() is not None, "nginx")
        assert process.poll() is None, read_log(log)
        yield
    finally:
        kill_tree(process)
