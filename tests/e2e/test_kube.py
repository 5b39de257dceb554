"""`pod kube play`, `down`, `generate`: Kubernetes documents made, started, removed, and written."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.repositories import site  # noqa: F401  # pytest finds the fixture here
from tests.support.waiting import free_port, until

SHOP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {greeting: hello, page.html: "<h1>hi</h1>"}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {token: s3cret}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: kube-data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      terminationGracePeriodSeconds: 0
      initContainers:
      - name: prepare
        image: busybox
        command: [sh, -c, "echo prepared > /data/init"]
        volumeMounts: [{name: data, mountPath: /data}]
      containers:
      - name: web
        image: busybox
        command: [sh, -c]
        args: ["echo $(GREETING) $TOKEN $POD $(cat /data/init); touch /scratch/x && exec httpd -f -p 80 -h /etc/site"]
        env:
        - {name: GREETING, valueFrom: {configMapKeyRef: {name: settings, key: greeting}}}
        - {name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: token}}}
        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        ports: [{containerPort: 80, hostPort: PORT, hostIP: 127.0.0.1}]
        securityContext: {capabilities: {drop: [MKNOD]}, allowPrivilegeEscalation: false}
        volumeMounts:
        - {name: data, mountPath: /data}
        - {name: site, mountPath: /etc/site}
        - {name: scratch, mountPath: /scratch}
      volumes:
      - {name: data, persistentVolumeClaim: {claimName: kube-data}}
      - {name: site, configMap: {name: settings, items: [{key: page.html, path: index.html}]}}
      - {name: scratch, emptyDir: {}}
"""
ONE = """
apiVersion: v1
kind: Pod
metadata: {name: one}
spec:
  terminationGracePeriodSeconds: 0
  restartPolicy: Never
  containers:
  - {name: main, image: busybox, command: COMMAND}
"""


LIVES = """
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: main
        image: busybox
        command: [sh, -c, "echo began >>/host/began; exec sleep 1000"]
        livenessProbe: {exec: {command: [test, -e, /host/alive]}, periodSeconds: 1, failureThreshold: 1}
        volumeMounts: [{name: host, mountPath: /host}]
      volumes: [{name: host, hostPath: {path: DIRECTORY, type: Directory}}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  backoffLimit: 2
  template:
    spec:
      restartPolicy: OnFailure
      containers: [{name: main, image: busybox, command: [sh, -c, "echo tried; exit 1"]}]
"""


@pytest.fixture
def written(tmp_path: Path) -> Any:
    def write(text: str, name: str = "shop.yaml") -> str:
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


@pytest.mark.not_podman(
    "4.3 knows no $() of variables in arguments, and names containers otherwise"
)
def test_play_makes_and_starts_all_and_down_removes_it(pod: Engine, written: Any) -> None:
    port = free_port()
    path = written(SHOP.replace("PORT", str(port)))
    shown = pod("kube", "play", path).out
    assert shown.startswith("Pod:\n") and "Volumes:\nkube-data" in shown and "Secrets:\n" in shown
    try:
        assert until(lambda: pod("logs", "shop-pod-web").out, "the greeting") == (
            "hello s3cret shop-pod prepared"
        )

        def page() -> bytes:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            try:
                connection.request("GET", "/")
                return connection.getresponse().read()
            except OSError:
                return b""
            finally:
                connection.close()

        assert until(page, "an answer") == b"<h1>hi</h1>"
        again = pod("kube", "play", path, status=125)
        assert "there is a pod 'shop-pod' already" in again.stderr and "--replace" in again.stderr
    finally:
        down = pod("kube", "down", path).lines
    assert down[0] == "Pods removed:" and "keys" in down
    assert pod("volume", "ls", "-q").lines == ["kube-data"]
    assert pod("pod", "ls", "-q").out == ""
    assert pod("ps", "-aq").out == ""
    assert pod("kube", "down", "--force", path).lines[-2:] == ["Volumes removed:", "kube-data"]
    pod("network", "rm", "podman-default-kube-network")


@pytest.mark.not_podman("4.3 knows neither kind")
def test_probes_restart_and_jobs_are_tried_again(
    pod: Engine,
    site: tuple[str, Path],  # noqa: F811  # the fixture
    tmp_path: Path,
) -> None:
    address, root = site
    (tmp_path / "alive").touch()
    (root / "it.yaml").write_text(LIVES.replace("DIRECTORY", str(tmp_path)))
    pod("kube", "play", "--network", "none", f"{address}/it.yaml")
    try:
        until(lambda: pod("logs", "once-pod-main").out.split() == ["tried"] * 3, "three tries", 60)
        state = "{{.State.Status}} {{.State.ExitCode}}"
        until(lambda: pod("inspect", "-f", state, "once-pod-main").out == "exited 1", "over")
        began = tmp_path / "began"
        until(began.exists, "the first start")
        (tmp_path / "alive").unlink()
        until(lambda: began.read_text().count("began") > 1, "another start", 60)
    finally:
        pod("kube", "down", f"{address}/it.yaml")
    assert pod("pod", "ls", "-q").out == ""


@pytest.mark.not_podman("its networks need programs that this machine does not have")
def test_pods_find_each_other_by_name(pod: Engine, written: Any) -> None:
    server = ONE.replace("one", "server").replace(
        "COMMAND", "[sh, -c, 'echo found > /i; exec httpd -f -p 80 -h /']"
    )
    asks = "[sh, -c, 'until wget -q -O - http://server/i; do sleep 0.1; done']"
    path = written(server + "---" + ONE.replace("one", "client").replace("COMMAND", asks))
    pod("kube", "play", path)
    try:
        until(lambda: pod("logs", "client-main").out == "found", "the answer")
    finally:
        pod("kube", "down", path)
        pod("network", "rm", "podman-default-kube-network")


@pytest.mark.not_podman("4.3 has no --wait")
@pytest.mark.parametrize("status", [0, 3])
def test_wait_ends_with_the_containers_and_leaves_nothing(
    pod: Engine, written: Any, status: int
) -> None:
    path = written(ONE.replace("COMMAND", f"[sh, -c, 'exit {status}']"))
    pod("kube", "play", "--network", "none", "--wait", path, status=status)
    assert pod("pod", "ls", "-q").out == ""


def test_start_false_and_replace(pod: Engine, written: Any) -> None:
    path = written(ONE.replace("COMMAND", "[sleep, '100']"))
    pod("kube", "play", "--network", "none", "--start=false", path)
    assert (
        pod("ps", "-a", "--filter", "name=one-main", "--format", "{{.State}}").out.lower()
        == "created"
    )
    before = pod("pod", "inspect", "one", "--format", "{{.Id}}").out
    pod("kube", "play", "--network", "none", "--replace", path)
    assert pod("pod", "inspect", "one", "--format", "{{.Id}}").out != before
    assert pod("ps", "--filter", "name=one-main", "--format", "{{.State}}").out.lower() == "running"
    pod("kube", "down", "-", stdin=Path(path).read_bytes())
    assert pod("pod", "ls", "-q").out == ""


@pytest.mark.not_podman("4.3 leaves what was made before the failure")
def test_what_cannot_be_made_leaves_nothing(pod: Engine, written: Any) -> None:
    text = (
        ONE.replace("COMMAND", "[id]")
        + "---"
        + ONE.replace("one", "two").replace("busybox", "localhost/no-such")
    )
    text += "---\napiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {token: x}\n"
    failed = pod("kube", "play", written(text.replace("COMMAND", "[id]")), status=125)
    assert "localhost/no-such" in failed.stderr
    assert pod("secret", "ls", "-q").out == ""
    assert pod("pod", "ls", "-q").out == ""
    assert pod("volume", "ls", "-q").out == ""
    pod("network", "rm", "podman-default-kube-network", status=None)


def test_images_are_built_of_directories(pod: Engine, written: Any, tmp_path: Path) -> None:
    (tmp_path / "built").mkdir()
    (tmp_path / "built" / "Dockerfile").write_text("FROM busybox\nCMD echo from the build\n")
    path = written(ONE.replace("image: busybox, command: COMMAND", "image: built"))
    pod("kube", "play", "--network", "none", "--context-dir", str(tmp_path), "--build", path)
    try:
        until(lambda: "from the build" in pod("logs", "one-main").out, "the output")
    finally:
        pod("kube", "down", path)
        pod("rmi", "localhost/built")


@pytest.mark.not_podman("4.3 passes none")
def test_proxies_of_the_caller_are_known_inside(pod: Engine, written: Any) -> None:
    proxies = {"http_proxy": "http://192.0.2.1:3128", "NO_PROXY": "local"}
    own = "[sh, -c, 'echo $http_proxy $NO_PROXY'], env: [{name: NO_PROXY, value: mine}]"
    path = written(ONE.replace("COMMAND", own))
    pod("kube", "play", "--network", "none", path, env=proxies)
    until(lambda: pod("logs", "one-main").out == "http://192.0.2.1:3128 mine", "what it knows")
    pod("kube", "down", path)


@pytest.mark.not_podman("4.3 makes a pod of each")
def test_one_of_several_replicas_is_made(pod: Engine, written: Any) -> None:
    text = SHOP[SHOP.index("apiVersion: apps") : SHOP.index("      initContainers")]
    text = text.replace("  selector", "  replicas: 3\n  selector")
    text += "      containers: [{name: web, image: busybox, command: [id]}]\n"
    path = written(text)
    said = pod("kube", "play", "--start=false", "--network", "none", path).stderr
    assert "line 5: 'spec.replicas' is taken for 1: there is one machine" in said
    assert pod("pod", "ps", "--format", "{{.Name}}").lines == ["shop-pod"]
    pod("kube", "down", path)


@pytest.mark.not_podman("4.3 passes over it")
def test_run_as_non_root_is_held(pod: Engine, written: Any) -> None:
    text = ONE.replace("COMMAND", "[id], securityContext: {runAsNonRoot: true}")
    failed = pod("kube", "play", "--network", "none", written(text), status=125)
    assert "container 'one-main' would run as root" in failed.stderr
    assert pod("pod", "ls", "-q").out == ""


@pytest.mark.not_podman("4.3 asks the registry, and nothing else will do")
def test_the_image_that_is_here_will_do_where_its_registry_is_away(
    pod: Engine, written: Any
) -> None:
    """Of what `kube generate` writes, most images have the tag latest."""
    pod("tag", "busybox", "127.0.0.1:1/away:latest")
    try:
        text = ONE.replace("COMMAND", "[id]").replace("busybox", "127.0.0.1:1/away:latest")
        pod("kube", "play", "--start=false", "--network", "none", written(text))
        again = written(pod("kube", "generate", "one").stdout, "again.yaml")
        pod("kube", "play", "--replace", "--start=false", "--network", "none", again)
        pod("kube", "down", again)
        text = text.replace("name: main,", "name: main, imagePullPolicy: Always,")
        failed = pod("kube", "play", "--network", "none", written(text), status=125)
        assert "127.0.0.1:1" in failed.stderr
    finally:
        pod("rmi", "127.0.0.1:1/away:latest")


@pytest.mark.parametrize("command", ["play", "down", "generate"])
def test_nothing_is_a_mistake(pod: Engine, command: str) -> None:
    assert "at least 1 arg" in pod("kube", command, status=125, stdin=b"").stderr


@pytest.mark.not_podman("it puts its own in that one's place")
def test_secrets_of_others_stay(pod: Engine, written: Any) -> None:
    pod("secret", "create", "keys", "-", stdin=b"mine")
    path = written("apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {token: x}\n")
    try:
        assert "there is a secret 'keys' already" in pod("kube", "play", path, status=125).stderr
        pod("kube", "down", path)
        shown = pod("secret", "inspect", "--showsecret", "--format", "{{.SecretData}}", "keys").out
        assert shown == "mine"
    finally:
        pod("secret", "rm", "keys")


@pytest.mark.not_podman("other sentences")
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1", "is not YAML: line 1"),
        ("just words", "'the document' is not a table of fields"),
        ("", "has no documents"),
        ("kind: Pod\nmetadata: {name: x}", "'apiVersion' is missing"),
        ("apiVersion: v1\nkind: Pot\nmetadata: {name: x}", "line 2: a Pot cannot be played"),
        (ONE.replace("COMMAND", "[id], imagee: x"), "'spec.containers[0].imagee' is not a known field"),
        (ONE.replace("COMMAND", "id"), "'spec.containers[0].command' is not a list"),
        (ONE.replace("name: one", "name: One!"), "'metadata.name' is 'One!'"),
        (ONE.replace("COMMAND", "[id], env: [{name: A, valueFrom: {secretKeyRef: {name: no, key: k}}}]"),
         "there is no Secret 'no'"),
        (ONE.replace("COMMAND", "[id], volumeMounts: [{name: v, mountPath: /v}]"), "the pod has no volume 'v'"),
        (ONE.replace("COMMAND", "[id], resources: {limits: {memory: lots}}"), "is 'lots', which is not a quantity"),
        (ONE.replace("COMMAND", "[id]") + "---" + ONE.replace("COMMAND", "[id]"), "there is a Pod 'one' already"),
    ],
)  # fmt: skip
def test_bad_documents_are_named_by_line_and_field(
    pod: Engine, written: Any, text: str, sentence: str
) -> None:
    failed = pod("kube", "play", written(text, "bad.yaml"), status=125)
    assert sentence in failed.stderr and "bad.yaml" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.not_podman("it has no such file: the documents are more")
def test_a_thousand_documents(pod: Engine, written: Any) -> None:
    text = "---\n".join(
        f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: m{n}}}\n" for n in range(1000)
    )
    pod("kube", "play", "--network", "none", written(text))


# Documents of what there is


def without_ids(text: str) -> list[dict[str, Any]]:
    from ruamel.yaml import YAML

    return list(YAML(typ="safe", pure=True).load_all(text))


@pytest.mark.not_podman("it writes other fields")
def test_generated_documents_are_valid_and_play_back_to_the_same(pod: Engine, written: Any) -> None:
    import kubernetes_validate

    pod("volume", "create", "--label", "a=b", "kube-back")
    pod("pod", "create", "--name", "back", "--label", "app=back", "--network", "none", "--restart", "always",
        "--add-host", "db:192.0.2.7", "--sysctl", "net.ipv4.ip_forward=1")  # fmt: skip
    pod("create", "--pod", "back", "--name", "back-web", "-e", "A=$(B)", "-w", "/tmp", "--user", "7:8",
        "--cap-drop", "ALL", "--read-only", "-v", "kube-back:/data:ro", "--tmpfs", "/scratch:size=1m",
        "--memory", "64m", "--cpus", "0.5", "--health-cmd", "true", "--health-interval", "5s",
        "--security-opt", "no-new-privileges", "--ulimit", "nofile=99:100", "--stop-timeout", "7",
        "busybox", "sleep", "9")  # fmt: skip
    pod(
        "create",
        "--pod",
        "back",
        "--init-ctr",
        "once",
        "--name",
        "back-first",
        "--stop-timeout",
        "7",
        "busybox",
        "true",
    )
    text = pod("kube", "generate", "--podman-only", "kube-back", "back").stdout
    for document in without_ids(text):
        kubernetes_validate.validate(document, "1.31", strict=True)

    def said() -> Any:
        shown = []
        for name in ("back-web", "back-first"):
            config = json.loads(pod("inspect", name).stdout)[0]
            host = config["HostConfig"]
            shown.append([
                config["Config"]["Env"], config["Config"]["WorkingDir"], config["Config"]["User"], config["Args"],
                config["Path"], host["CapDrop"], host["ReadonlyRootfs"], host["Memory"], host["NanoCpus"],
                host["SecurityOpt"], host["Ulimits"], config["Config"].get("Healthcheck"),
                config["Config"]["StopTimeout"],
                sorted((it["Destination"], it["RW"]) for it in config["Mounts"]), sorted(host["Tmpfs"]),
            ])  # fmt: skip
        found = json.loads(pod("pod", "inspect", "back").stdout)
        found = found[0] if isinstance(found, list) else found
        infra = json.loads(pod("inspect", found["InfraContainerID"]).stdout)[0]
        return [
            *shown,
            found["Labels"],
            infra["HostConfig"]["ExtraHosts"],
            infra["HostConfig"].get("Sysctls"),
        ]

    before = said()
    pod("pod", "rm", "-f", "back")
    path = written(text)
    pod("kube", "play", "--network", "none", "--start=false", path)
    assert said() == before
    again = pod("kube", "generate", "--podman-only", "kube-back", "back").stdout
    assert without_ids(again) == without_ids(text)


@pytest.mark.not_podman("4.3 has pods alone")
@pytest.mark.parametrize("kind", ["pod", "deployment", "daemonset", "job"])
def test_kinds_of_documents(pod: Engine, kind: str, tmp_path: Path) -> None:
    import kubernetes_validate

    pod(
        "create",
        "--name",
        "loose",
        "-p",
        "127.0.0.1:0:80",
        "--restart",
        "always",
        "busybox",
        "sleep",
        "9",
    )
    path = str(tmp_path / "out.yaml")
    pod("kube", "generate", "--type", kind, "--service", "-f", path, "loose")
    service, document = without_ids(Path(path).read_text())
    for one in (service, document):
        kubernetes_validate.validate(one, "1.31", strict=True)
    assert document["kind"].lower() == kind
    assert [port["port"] for port in service["spec"]["ports"]] == [80]
    refused = pod("kube", "generate", "-f", path, "loose", status=125)
    assert "there is a file" in refused.stderr
    assert "no container, pod or volume" in pod("generate", "kube", "nothing", status=125).stderr
