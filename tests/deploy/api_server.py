"""As much of Kubernetes' API as Helm asks for when it installs: takes all that it is sent.

Nothing runs there: a chart is installed into it to see what Helm makes of the templates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

KINDS = {
    "v1": {
        "configmaps": "ConfigMap",
        "persistentvolumeclaims": "PersistentVolumeClaim",
        "secrets": "Secret",
        "services": "Service",
    },
    "apps/v1": {"deployments": "Deployment", "statefulsets": "StatefulSet"},
    "networking.k8s.io/v1": {"ingresses": "Ingress", "networkpolicies": "NetworkPolicy"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
}
VERSION = {"major": "1", "minor": "31", "gitVersion": "v1.31.0"}
_ITEM = re.compile(r"^/(?:api|apis/[^/]+)/v1/namespaces/[^/]+/(\w+)(?:/([^/]+))?$")


class ApiServer(ThreadingHTTPServer):
    """Remembers each object by kind and name."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}

    @property
    def kubeconfig(self) -> str:
        """What Helm is told of it."""
        address = f"http://127.0.0.1:{self.server_port}"
        # By its first line Helm's binding tells a text from the name of a file.
        return (
            "apiVersion: v1\nkind: Config\n"
            f"clusters: [{{name: here, cluster: {{server: '{address}'}}}}]\n"
            "contexts: [{name: here, context: {cluster: here, user: me}}]\n"
            "users: [{name: me, user: {}}]\ncurrent-context: here\n"
        )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ApiServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        found = _discovery(path)
        if found is not None:
            self._answer(200, found)
            return
        kind, name = self._item()
        if not name:
            self._answer(200, {"kind": "List", "apiVersion": "v1", "items": []})
        elif (kind, name) in self.server.objects:
            self._answer(200, self.server.objects[kind, name])
        else:
            self._answer(404, _status(404, "NotFound"))

    def do_POST(self) -> None:
        kind, name = self._item()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "protobuf" in self.headers["Content-Type"]:
            # Helm's own record of the release, a Secret; what the chart holds comes as JSON.
            self._answer(201, {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "kept"}})
            return
        content = json.loads(body)
        self.server.objects[kind, name or content["metadata"]["name"]] = content
        self._answer(201, content)

    def do_PUT(self) -> None:
        self.do_POST()

    def do_PATCH(self) -> None:
        self.do_POST()

    def _item(self) -> tuple[str, str]:
        found = _ITEM.match(urlsplit(self.path).path)
        return (found[1], found[2] or "") if found else ("", "nothing")

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


def _status(code: int, reason: str) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "code": code,
    }


def _discovery(path: str) -> dict[str, Any] | None:
    if path == "/version":
        return VERSION
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"]}
    if path == "/apis":
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": _groups()}
    version = path.removeprefix("/apis/").removeprefix("/api/")
    if version not in KINDS:
        return None
    verbs = ["create", "delete", "get", "list", "patch", "update", "watch"]
    resources = [
        {"name": name, "singularName": "", "namespaced": True, "kind": kind, "verbs": verbs}
        for name, kind in KINDS[version].items()
    ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": resources,
    }


def _groups() -> list[dict[str, Any]]:
    return [
        {
            "name": version.partition("/")[0],
            "versions": [{"groupVersion": version, "version": "v1"}],
            "preferredVersion": {"groupVersion": version, "version": "v1"},
        }
        for version in KINDS
        if "/" in version
    ]


@contextmanager
def api_server() -> Iterator[ApiServer]:
    """Serve on loopback until the end of the body."""
    server = ApiServer()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
