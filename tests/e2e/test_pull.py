"""`pod pull`: what comes, under which name, and what is printed. Faults are in test_registry_faults.py."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.integration.image.faulty import FaultyRegistry, Reply, digest_of, small_layer
from tests.support import images
from tests.support.engine import Engine
from tests.support.layout import Entry, Layout, layer_tar
from tests.support.registry import Registry
from tests.support.waiting import until

INSECURE = "--tls-verify=false"


def test_prints_the_id_and_tells_of_the_way(pod: Engine, server: FaultyRegistry) -> None:
    layer = small_layer()
    server.add_image("me/one:latest", [layer])
    name = f"{server.host}/me/one"
    first = pod("pull", INSECURE, name)
    assert first.lines == [pod("inspect", "--format", "{{.Id}}", name).out]
    assert f"Trying to pull {name}:latest" in first.stderr
    assert "Copying blob" in first.stderr
    again = pod("pull", INSECURE, name)
    assert again.stdout == first.stdout
    assert pod("pull", "-q", INSECURE, name).stderr == ""
    assert len(server.seen("/blobs/" + digest_of(layer))) == 1


def test_short_name_and_digest(pod: Engine) -> None:
    pod("pull", "-q", "busybox")
    assert pod.registry is not None
    digest = pod("inspect", "--format", "{{.Digest}}", "busybox").out
    pod("pull", "-q", f"docker.io/library/busybox@{digest}")
    assert digest in pod("images", "--digests", "busybox").stdout
    pod("rmi", f"docker.io/library/busybox@{digest}")
    assert pod("images", "--format", "{{.Repository}}:{{.Tag}}", "busybox").lines == [
        "docker.io/library/busybox:latest"
    ]


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_compressions_and_docker_manifests(
    pod: Engine, registry: Registry, tmp_path: Path, compression: str
) -> None:
    layout = Layout(str(tmp_path))
    image = images.image("busybox").recompressed(layout, compression)
    if compression == "gzip":
        image = images.image("busybox").copy(layout, docker=True)
    registry.push(image, f"me/{compression}")
    name = f"{registry.host}/me/{compression}"
    pod("pull", "-q", INSECURE, name)
    assert pod("run", "--rm", "--network", "none", name, "echo", "in").out == "in"
    if (
        pod.kind == "pod"
    ):  # podman has the same layers and configuration already, and says how it got those
        assert pod("inspect", "--format", "{{.Digest}}", name).out == image.digest


def test_platform_is_chosen(pod: Engine, registry: Registry, tmp_path: Path) -> None:
    layout = Layout(str(tmp_path))
    busybox = images.image("busybox")
    ours = busybox.copy(layout)
    theirs = busybox.copy(layout, architecture="arm64", variant="v8", config={"Cmd": ["x"]})
    registry.push_index(ours, layout.add_index([theirs, ours]), "me/several")
    name = f"{registry.host}/me/several"
    form = "{{.Architecture}} {{.Os}}"
    pod("pull", "-q", INSECURE, name)
    assert pod("image", "inspect", "--format", form, name).out == "amd64 linux"
    pod("pull", "-q", INSECURE, "--platform", "linux/arm64", name)
    assert pod("image", "inspect", "--format", form, name).out == "arm64 linux"
    pod("pull", "-q", INSECURE, "--arch", "amd64", name)
    assert pod("image", "inspect", "--format", form, name).out == "amd64 linux"


def test_login(pod: Engine, registry_with: Any, tmp_path: Path) -> None:
    """By --creds, and by an authentication file."""
    private = registry_with(users={"jane": "secret"})
    private.push(images.image("busybox"), "me/private")
    name = f"{private.host}/me/private"
    assert pod("pull", "-q", INSECURE, name, status=125).stdout == ""
    wrong = pod("pull", "-q", INSECURE, "--creds", "jane:wrong", name, status=125)
    assert "wrong" not in wrong.stderr.replace("wrong name or password", "")
    pod("pull", "-q", INSECURE, "--creds", "jane:secret", name)
    pod("rmi", name)
    auth = tmp_path / "auth.json"
    auth.write_text(json.dumps({"auths": {private.host: {"auth": "amFuZTpzZWNyZXQ="}}}))
    pod("pull", "-q", INSECURE, "--authfile", str(auth), name)
    pod("rmi", name)
    pod("pull", "-q", INSECURE, name, env={"REGISTRY_AUTH_FILE": str(auth)})


def test_every_name_is_tried(pod: Engine, server: FaultyRegistry) -> None:
    for name in ("one", "two"):
        server.add_image(f"me/{name}:latest", [small_layer(name)])
    names = [f"{server.host}/me/{name}" for name in ("one", "missing", "two")]
    result = pod("pull", "-q", INSECURE, *names, status=125)
    assert len(result.lines) == 2
    assert "missing" in result.stderr


@pytest.mark.not_podman("version 4.3 has no --policy")
def test_policies(pod: Engine, server: FaultyRegistry) -> None:
    name = f"{server.host}/me/moving"
    server.add_image("me/moving:latest", [small_layer("one")])
    assert pod("pull", "-q", INSECURE, "--policy", "never", name, status=125).stdout == ""
    first = pod("pull", "-q", INSECURE, "--policy", "missing", name).out
    server.add_image("me/moving:latest", [small_layer("two")])
    assert pod("pull", "-q", INSECURE, "--policy", "missing", name).out == first
    second = pod("pull", "-q", INSECURE, "--policy", "newer", name).out
    assert second != first
    assert pod("images", "-q", "--filter", "dangling=true").out == first[:12]


def test_pull_of_run(pod: Engine, server: FaultyRegistry) -> None:
    """`run` and `create` pull what is missing; --pull says when."""
    name = f"{server.host}/me/moving"
    server.add_image("me/moving:latest", [small_layer("one")])
    pod("create", "--pull", "never", INSECURE, name, "x", status=125)
    pod("create", "-q", INSECURE, name, "x")
    server.add_image("me/moving:latest", [small_layer("two")])
    before = pod("inspect", "--format", "{{.Id}}", name).out
    pod("create", "-q", INSECURE, name, "x")
    assert pod("inspect", "--format", "{{.Id}}", name).out == before
    pod("create", "-q", "--pull", "always", INSECURE, name, "x")
    assert pod("inspect", "--format", "{{.Id}}", name).out != before


def test_newer_makes_do_with_what_is_here(pod: Engine, server: FaultyRegistry) -> None:
    """A registry that has nothing newer is asked for a digest alone, and one that does not answer is no error."""
    name = f"{server.host}/me/moving"
    server.add_image("me/moving:latest", [small_layer("one")])
    first = pod("pull", "-q", INSECURE, name).out
    before = len(server.requests)
    pod("create", "-q", "--pull", "newer", INSECURE, name, "x")
    if pod.kind == "pod":
        asked = {(seen.method, seen.path) for seen in server.requests[before:]}
        assert asked - {("GET", "/v2/")} == {("HEAD", "/v2/me/moving/manifests/latest")}
    server.fault("/manifests/", *[Reply(404)] * 9)
    pod("create", "-q", "--pull", "newer", INSECURE, name, "x")
    pod("create", "-q", "--pull", "always", INSECURE, name, "x", status=125)
    assert pod("inspect", "--format", "{{.Id}}", name).out == first


@pytest.mark.not_podman("it fetches everything twice")
def test_second_pull_waits_for_the_first(pod: Engine, server: FaultyRegistry) -> None:
    """And says so."""
    layer = layer_tar([Entry("noise", os.urandom(2_000_000))])
    server.add_image("me/shared:latest", [layer])
    gate = threading.Event()
    server.slow = (1_000_000, gate)
    words = ("pull", INSECURE, f"{server.host}/me/shared")
    begun = f"{pod.root}/images/partial/{digest_of(layer).removeprefix('sha256:')}"
    with pod.spawn(*words, stderr=subprocess.DEVNULL) as first:
        until(lambda: os.path.exists(begun), "the first pull at its layer")
        with pod.spawn(*words) as second:
            assert second.stderr is not None
            told = f"Another command is fetching blob {digest_of(layer)}, waiting for it".encode()
            assert any(told in line for line in second.stderr)
            gate.set()
            out, _ = second.communicate(timeout=60)
        assert first.communicate(timeout=60)[0] == out
    assert first.returncode == second.returncode == 0
    assert len(server.seen("/blobs/" + digest_of(layer))) == 1


@pytest.mark.not_podman("version 4.3 has no --retry")
def test_retries_are_counted(pod: Engine, server: FaultyRegistry) -> None:
    """As often as asked, after the wait that was asked for, unless the server names another one."""
    name = f"{server.host}/me/busy"
    server.add_image("me/busy:latest", [small_layer()])
    busy = [Reply(503), Reply(429, {"Retry-After": "0"})]
    server.fault("/manifests/", *busy)
    result = pod("pull", INSECURE, "--retry", "2", "--retry-delay", "50ms", name)
    assert "trying again in 0.05 seconds" in result.stderr
    assert "trying again in 0 seconds" in result.stderr
    assert len(server.seen("/manifests/")) == 3
    pod("rmi", name)
    server.fault("/manifests/", *busy)
    pod("pull", INSECURE, "--retry", "1", "--retry-delay", "0s", name, status=125)
    assert len(server.seen("/manifests/")) == 5
    server.fault("/manifests/", Reply(503))
    pod("pull", INSECURE, "--retry", "0", name, status=125)
    assert len(server.seen("/manifests/")) == 6


@pytest.mark.parametrize("words", [[], ["Upper"], ["a:b:c"], ["--nonsense", "x"], ["--platform", "x/y/z/w", "x"]],
                         ids=" ".join)  # fmt: skip
def test_wrong_usage(pod: Engine, words: list[str]) -> None:
    result = pod("pull", *words, status=125)
    assert result.stdout == ""
    assert "Error: " in result.stderr
