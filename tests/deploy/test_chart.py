"""The Helm chart, by Helm itself: linted, packed, and installed into a stand-in of an API server.

No cluster runs what comes of it. The Python that has helm-sdkpy is named by GLEAN_HELM.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.api_server import KINDS, api_server
from tests.deploy.files import CHART, ROOT, TARGETS

HELM = os.environ.get("GLEAN_HELM", "")
HELPER = Path(__file__).with_name("helm_install.py")
INFO = 1
HOOK = "https://hooks.example.org/a"
DATABASE = "postgresql://glean:word@db.example.org/glean"
VALUES: dict[str, dict[str, Any]] = {
    "alone": {},
    "federation": {"service": {"https": "federation", "public": "glean.example.org:443"}},
    "workers": {
        "urls": {"database": DATABASE, "broker": "amqp://glean:word@mq.example.org"},
        "service": {"runsAtOnce": 0, "webhooks": [HOOK]},
        "worker": {"replicas": 3},
        "results": {"accessMode": "ReadWriteMany", "storageClass": "nfs"},
        "ingress": {"enabled": True, "className": "nginx", "tlsSecret": "web"},
        "podDisruptionBudget": {"blocksDrains": True},
    },
    "superlink": {
        "superlink": {"enabled": True, "keysSecret": "federation-keys"},
        "ingress": {"enabled": True, "annotations": {"a": "b"}},
    },
    "own secrets": {
        "urls": {"existingSecret": "platform", "credentialsSecret": "store"},
        "service": {
            "https": "secret",
            "tlsSecret": "web",
            "public": "glean.example.org",
            "rootsSecret": "roots",
            "type": "LoadBalancer",
        },
        "worker": {"replicas": 1, "sharesResults": False, "metricsPort": 0},
        "results": {"existingClaim": "kept"},
        "image": {"pullSecrets": ["registry"], "tag": "1.0"},
        "nodeSelector": {"disk": "fast"},
        "tolerations": [{"key": "runs", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
    },
}


def helm(**asked: object) -> Any:
    """What Helm does with the chart, or says why it doesn't."""
    if not HELM:
        pytest.skip("GLEAN_HELM names no Python with helm-sdkpy in it")
    done = subprocess.run(
        [HELM, HELPER],
        input=json.dumps({"chart": str(CHART), **asked}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@cache
def installed(name: str) -> Mapping[tuple[str, str], dict[str, Any]]:
    """What Helm sends to a cluster for some values, by kind and name."""
    with api_server() as server:
        done = helm(install=VALUES[name], kubeconfig=server.kubeconfig)
        assert "refused" not in done, done
        return server.objects


def pods(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Pods that some values come to, with their part."""
    for thing in installed(name).values():
        template = thing.get("spec", {}).get("template")
        if template:
            yield template["metadata"]["labels"]["app.kubernetes.io/component"], template["spec"]


def containers(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All of a pod."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def test_helm_finds_nothing_but_that_there_is_no_icon() -> None:
    """And packs it."""
    found = helm()["done"]
    assert found["Errors"] is None
    assert [(one["Severity"], one["Path"]) for one in found["Messages"]] == [(INFO, "Chart.yaml")]


def test_helm_packs_it(tmp_path: Path) -> None:
    """By its name and version."""
    assert Path(helm(package=str(tmp_path))["done"]).name == "glean-0.1.0.tgz"


@pytest.mark.parametrize("name", VALUES)
def test_what_helm_sends_is_what_kubernetes_takes(name: str) -> None:
    """By the schemas of Kubernetes, in which nothing may stand that they don't know."""
    validate = pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is missing")
    found = installed(name)
    kinds = {kind for kinds in KINDS.values() for kind in kinds.values()}
    assert {thing["kind"] for thing in found.values()} <= kinds
    for thing in found.values():
        validate.validate(thing, desired_version="1.31", strict=True)


@pytest.mark.parametrize("name", VALUES)
def test_every_container_is_hardened(name: str) -> None:
    """No root, nothing written to the image, no token of the cluster's, memory with a limit."""
    for _, pod in pods(name):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in containers(pod):
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]
            target = container["image"].partition(":")[0].removeprefix("glean-")
            assert target in TARGETS
        for container in pod["containers"]:
            assert {"startupProbe", "livenessProbe"} <= set(container)


@pytest.mark.parametrize("name", VALUES)
def test_what_is_mounted_is_there(name: str) -> None:
    """Each mount has its volume, each volume is mounted."""
    for part, pod in pods(name):
        volumes = {one["name"] for one in pod["volumes"]}
        mounted = {m["name"] for one in containers(pod) for m in one["volumeMounts"]}
        templates = {"state"} if part == "server" else set()
        assert mounted == volumes | templates


@pytest.mark.parametrize("name", VALUES)
def test_services_and_budgets_find_their_pods(name: str) -> None:
    """By labels that the pods have."""
    found = installed(name)
    labels = [
        thing["spec"]["template"]["metadata"]["labels"]
        for thing in found.values()
        if "template" in thing.get("spec", {})
    ]
    selectors = [
        thing["spec"]["selector"].get("matchLabels", thing["spec"]["selector"])
        for (kind, _), thing in found.items()
        if kind in {"services", "poddisruptionbudgets", "deployments", "statefulsets"}
    ]
    assert selectors
    for selector in selectors:
        assert [one for one in labels if selector.items() <= one.items()], selector


def test_urls_with_passwords_are_in_a_secret_only() -> None:
    """Not in the words of a command, which lists of processes show."""
    found = installed("workers")
    assert found["secrets", "glean-urls"]["stringData"]["database"] == DATABASE
    assert found["secrets", "glean-webhooks"]["stringData"]["webhooks"] == HOOK
    others = [thing for (kind, _), thing in found.items() if kind != "secrets"]
    assert "GLEAN_WEBHOOKS" in json.dumps(others)
    assert "word@" not in json.dumps(others)
    assert HOOK not in json.dumps(others)


def test_credentials_of_stores_are_variables_of_who_needs_them() -> None:
    """By a Secret that is there already."""
    for part, pod in pods("own secrets"):
        (container,) = pod["containers"]
        assert container["envFrom"] == [{"secretRef": {"name": "store"}}], part


def test_a_superlink_is_reached_by_bakeries_calls_only() -> None:
    """Whoever reaches the rest may start runs; the network policy names who else may."""
    found = installed("superlink")
    (rule,) = found["ingresses", "glean-superlink"]["spec"]["rules"]
    assert [path["path"] for path in rule["http"]["paths"]] == ["/v1/fleet/"]
    policy = found["networkpolicies", "glean-superlink"]["spec"]
    (way,) = policy["ingress"]
    assert len(way["from"]) == 2
    assert policy["policyTypes"] == ["Ingress"]


def test_without_a_federation_of_its_own_there_is_no_superlink() -> None:
    """Nor workers, nor an ingress: what isn't asked for isn't there."""
    assert {key for key in installed("alone") if key[0] != "networkpolicies"} == {
        ("deployments", "glean-service"),
        ("services", "glean-service"),
        ("secrets", "glean-urls"),
        ("persistentvolumeclaims", "glean-results"),
        ("poddisruptionbudgets", "glean-service"),
    }


def test_workers_tell_prometheus_and_nobody_else() -> None:
    """At a port that the pod names, in annotations and in the network policy."""
    ((_, pod),) = [one for one in pods("workers") if one[0] == "worker"]
    (container,) = pod["containers"]
    words = container["args"]
    assert words[words.index("--metrics-port") + 1 :] == ["8701", "--metrics-host", "0.0.0.0"]  # noqa: S104
    assert container["ports"] == [{"name": "metrics", "containerPort": 8701}]
    template = installed("workers")["deployments", "glean-worker"]["spec"]["template"]
    assert template["metadata"]["annotations"]["prometheus.io/port"] == "8701"
    (way,) = installed("workers")["networkpolicies", "glean-worker"]["spec"]["ingress"]
    assert way["ports"] == [{"protocol": "TCP", "port": 8701}]
    (sender,) = way["from"]
    assert sender["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": "monitoring"
    }
    ((_, silent),) = [one for one in pods("own secrets") if one[0] == "worker"]
    assert "ports" not in silent["containers"][0]
    assert "--metrics-port" not in silent["containers"][0]["args"]


def test_pods_start_anew_with_other_urls() -> None:
    """A variable out of a Secret is read once."""

    def revisions(values: dict[str, Any]) -> dict[str, str]:
        with api_server() as server:
            assert "refused" not in helm(install=values, kubeconfig=server.kubeconfig)
            return {
                name: thing["spec"]["template"]["metadata"]["annotations"]["checksum/urls"]
                for (kind, name), thing in server.objects.items()
                if kind == "deployments"
            }

    values = VALUES["workers"]
    urls = values["urls"]
    before, again = revisions(values), revisions(values)
    after = revisions(values | {"urls": urls | {"broker": "amqp://glean:new@mq.example.org"}})
    assert len(before) == 2
    assert before == again
    assert not set(before.values()) & set(after.values())


def test_clients_of_a_load_balancer_keep_their_addresses() -> None:
    """Or one that guesses would lock all of them out."""
    spec = installed("own secrets")["services", "glean-service"]["spec"]
    assert (spec["type"], spec["externalTrafficPolicy"]) == ("LoadBalancer", "Local")
    assert "externalTrafficPolicy" not in installed("alone")["services", "glean-service"]["spec"]


@pytest.mark.parametrize(
    ("https", "public", "told"),
    [
        ("ingress", "glean.example.org", "glean.example.org:443"),
        ("ingress", "glean.example.org:8443", "glean.example.org:8443"),
        ("federation", "glean.example.org", "glean.example.org"),
        ("federation", "[2001:db8::7]:8700", "[2001:db8::7]:8700"),
    ],
)
def test_bakeries_are_told_where_somebody_listens(https: str, public: str, told: str) -> None:
    """An ingress does at 443, whatever port the service has."""
    service = {"https": https, "public": public, "rootsSecret": "roots"}
    with api_server() as server:
        done = helm(install={"service": service}, kubeconfig=server.kubeconfig)
        assert "refused" not in done, done
        spec = server.objects["deployments", "glean-service"]["spec"]["template"]["spec"]
    words = spec["containers"][0]["args"]
    assert words[words.index("--public") + 1] == told


def test_what_the_page_installs_is_taken() -> None:
    """Each `--set` of docs/containers.md, together."""
    page = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^    helm install (?:.*\\\n)*.*$", page, re.MULTILINE)
    values: dict[str, Any] = {}
    for name, value in re.findall(r"--set (\S+)=(\S+)", command):
        part, _, key = name.partition(".")
        values.setdefault(part, {})[key] = int(value) if value.isdigit() else value
    with api_server() as server:
        assert "refused" not in helm(install=values, kubeconfig=server.kubeconfig)
        assert server.objects["services", "glean-service"]["spec"]["ports"][0]["port"] == 443


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"workers": 3}, "additional properties 'workers' not allowed"),
        ({"worker": {"replicas": -1}}, "minimum: got -1, want 0"),
        ({"urls": {"database": "mysql://db"}}, "does not match pattern"),
        ({"service": {"https": "no"}}, "must be one of 'ingress', 'federation', 'secret'"),
        ({"worker": {"replicas": 1}}, "wanted urls.database or urls.existingSecret"),
        (
            {"worker": {"replicas": 1, "sharesResults": False}, "urls": {"database": DATABASE}},
            "wanted urls.storage",
        ),
        (
            {"worker": {"replicas": 1}, "urls": {"database": DATABASE}},
            "wanted results.accessMode=ReadWriteMany",
        ),
        (
            {
                "service": {
                    "https": "federation",
                    "public": "glean.example.org:443",
                    "type": "LoadBalancer",
                }
            },
            "found 8700 at the load balancer, and bakeries that are told 443",
        ),
        ({"service": {"https": "federation"}}, "wanted service.public"),
        ({"service": {"https": "secret"}}, "wanted service.tlsSecret"),
        ({"service": {"public": "glean.example.org"}}, "wanted service.rootsSecret"),
        ({"superlink": {"enabled": True}}, "wanted superlink.keysSecret"),
        (
            {
                "ingress": {"enabled": True},
                "service": {"https": "federation", "public": "glean.example.org"},
            },
            "wanted service.https=ingress",
        ),
    ],
    ids=str,
)
def test_values_that_can_not_work_are_refused(values: dict[str, Any], said: str) -> None:
    """With what was wanted, before anything is sent."""
    with api_server() as server:
        done = helm(install=values, kubeconfig=server.kubeconfig)
        assert said in done.get("refused", "")
        assert not server.objects
