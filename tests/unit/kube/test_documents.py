"""Documents that are wrong anywhere: a sentence with the place, never a traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pod.kube import plan
from pod.kube.fields import KubeError, Notes
from pod.kube.pods import PlayOptions
from pod.spec.container import ContainerConfig

OPTIONS = PlayOptions(base=ContainerConfig(), infra=ContainerConfig(), profiles="/profiles")
DEPLOYMENT = {
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": {"name": "shop", "labels": {"a": "b"}, "annotations": {"io.containers.autoupdate": "local"}},
    "spec": {
        "replicas": 1, "selector": {"matchLabels": {"app": "shop"}},
        "template": {
            "metadata": {"labels": {"app": "shop"}},
            "spec": {
                "restartPolicy": "Always", "hostname": "h", "hostNetwork": False, "shareProcessNamespace": True,
                "terminationGracePeriodSeconds": 3,
                "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["db"]}],
                "dnsConfig": {"nameservers": ["192.0.2.2"], "options": [{"name": "ndots", "value": "2"}]},
                "securityContext": {"runAsUser": 5, "supplementalGroups": [7],
                                    "sysctls": [{"name": "net.ipv4.ip_forward", "value": "1"}]},
                "initContainers": [{"name": "first", "image": "i"}],
                "containers": [{
                    "name": "web", "image": "i", "command": ["a"], "args": ["$(A)"], "workingDir": "/w",
                    "env": [{"name": "A", "value": "b"},
                            {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "map", "key": "k"}}}],
                    "envFrom": [{"prefix": "P_", "configMapRef": {"name": "map"}}],
                    "ports": [{"containerPort": 80, "hostPort": 8080, "protocol": "TCP", "name": "http"}],
                    "resources": {"limits": {"memory": "64Mi", "cpu": "500m"}, "requests": {"memory": "1Mi"}},
                    "livenessProbe": {"httpGet": {"port": "http", "path": "/"}, "periodSeconds": 3},
                    "startupProbe": {"exec": {"command": ["true"]}},
                    "securityContext": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]},
                                        "seccompProfile": {"type": "Localhost", "localhostProfile": "x.json"}},
                    "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "s", "readOnly": True},
                                     {"name": "m", "mountPath": "/m"}, {"name": "e", "mountPath": "/e"}],
                }],
                "volumes": [{"name": "v", "hostPath": {"path": "/tmp", "type": "Directory"}},
                            {"name": "m", "configMap": {"name": "map",
                                                         "items": [{"key": "k", "path": "p", "mode": 256}]}},
                            {"name": "e", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}],
            },
        },
    },
}  # fmt: skip
CONFIG_MAP = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "map"},
    "data": {"k": "v"},
}


def planned(*documents: Any) -> plan.Plan:
    text = "\n---\n".join(json.dumps(document) for document in documents).encode()
    return plan.make([("the test", text)], [], OPTIONS, lambda _: None, Notes())


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of each value in a document."""
    found = [path] if path else []
    entries = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in entries:
        found += places(inner, (*path, key))
    return found


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    copy = json.loads(json.dumps(document))
    table = copy
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    return copy


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.sampled_from(["/..", "../x", "$(A)", "1e9", "-1", "\0", "x" * 300]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


def test_the_document_is_right() -> None:
    (pod,) = planned(CONFIG_MAP, DEPLOYMENT).pods
    web = pod.containers[1].config
    assert (pod.name, web.environment) == ("shop-pod", ("P_k=v", "A=b", "C=v"))
    assert web.command == ("b",) and web.user == "5" and web.groups == ("7",)
    assert web.security.seccomp == "/profiles/x.json"
    assert web.resources.memory == 64 << 20 and web.resources.cpu_quota == 50_000


@settings(max_examples=150)
@given(st.sampled_from(places(DEPLOYMENT)), anything)
def test_any_value_anywhere_is_taken_or_named(path: tuple[Any, ...], value: Any) -> None:
    try:
        planned(CONFIG_MAP, changed(DEPLOYMENT, path, value))
    except KubeError as error:
        assert "\n" not in error.message
        assert error.message.startswith("the test, line ")


TEMPLATE = ("spec", "template", "spec")
CONTAINER = (*TEMPLATE, "containers", 0)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ((*TEMPLATE, "hostname"), "a b", "is 'a b', which is not valid: up to 64 letters"),
        ((*TEMPLATE, "hostAliases", 0, "ip"), "nope", "'nope' is not an IP address"),
        ((*TEMPLATE, "hostAliases", 0, "hostnames"), ["a b"], "hostnames[0]' is 'a b'"),
        ((*TEMPLATE, "dnsConfig", "nameservers"), ["192.0.2.1\nsearch x"], "is '192.0.2.1\\nsearch x'"),
        ((*TEMPLATE, "dnsConfig", "searches"), ["a b"], "searches[0]' is 'a b'"),
        ((*TEMPLATE, "dnsConfig", "options", 0, "name"), "a b", "'a b:2' is no option of resolv.conf"),
        ((*TEMPLATE, "securityContext", "runAsUser"), -3, "runAsUser' is -3, which is no id"),
        ((*TEMPLATE, "securityContext", "runAsUser"), "root", "runAsUser' is 'root', not a whole number"),
        ((*TEMPLATE, "securityContext", "fsGroup"), 1.5, "fsGroup' is 1.5, not a whole number"),
        ((*TEMPLATE, "securityContext", "supplementalGroups"), ["x"], "supplementalGroups[0]' is 'x'"),
        ((*TEMPLATE, "volumes", 2, "name"), "a b", "is 'a b', which is not a name"),
        ((*TEMPLATE, "volumes", 2, "emptyDir", "sizeLimit"), 10**20, "which is not a quantity below 8Ei"),
        ((*CONTAINER, "name"), "a b", "is 'a b', which is not a name"),
        ((*CONTAINER, "image"), "UPPER", "the repository must be lower-case"),
        ((*CONTAINER, "workingDir"), "rel", "is 'rel', which is not an absolute path"),
        ((*CONTAINER, "command"), ["a", "b\0c"], "command[1]' has a zero byte in it"),
        ((*CONTAINER, "env", 0, "value"), "b\0c", "value' has a zero byte in it"),
        ((*CONTAINER, "ports", 0, "hostIP"), "x", "hostIP' is 'x'"),
        ((*CONTAINER, "lifecycle"), {"stopSignal": "SIGNOPE"}, "stopSignal': signal 'SIGNOPE' does not exist"),
        ((*CONTAINER, "livenessProbe", "periodSeconds"), 10**11, "is 100000000000; numbers up to"),
        ((*CONTAINER, "resources", "limits", "cpu"), "1e9", "which is not a number of processors up to 1000000"),
        ((*CONTAINER, "securityContext", "capabilities", "add"), ["NOPE"], "add[0]' is 'NOPE', which is"),
        (("spec", "template", "metadata", "annotations"), {"io.podman.annotations.pids-limit": "x"},
         "an annotation of container 'first': --pids-limit 'x' is not valid"),
    ],
)  # fmt: skip
def test_a_value_that_no_container_can_have_is_named(
    path: tuple[Any, ...], value: Any, said: str
) -> None:
    with pytest.raises(KubeError) as failed:
        planned(CONFIG_MAP, changed(DEPLOYMENT, path, value))
    assert said in failed.value.message and failed.value.message.startswith("the test, line ")


@settings(max_examples=100)
@given(st.binary(max_size=60) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_taken_or_named(data: bytes) -> None:
    try:
        plan.make([("the test", data)], [], OPTIONS, lambda _: None, Notes())
    except KubeError as error:
        assert error.message.startswith("the test")


@pytest.mark.parametrize("path", [p for p in places(DEPLOYMENT) if isinstance(p[-1], str) and len(p) > 4
                                  and not {"labels", "annotations", "matchLabels"} & set(p)])  # fmt: skip
def test_a_misspelt_field_is_named(path: tuple[Any, ...]) -> None:
    document = changed(DEPLOYMENT, (*path[:-1], f"{path[-1]}x"), 1)
    with pytest.raises(KubeError, match=f"{path[-1]}x' is not a known field"):
        planned(CONFIG_MAP, document)
