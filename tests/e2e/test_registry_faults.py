"""Pulls and loads that cannot succeed: each ends in one clear sentence with a hint and status 125, and leaves nothing.

What the client does in detail is tested in tests/integration/image; here is what a person sees.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pod.image.media_types import DOCKER_LIST
from tests.integration.image.faulty import FaultyRegistry, Reply, digest_of, small_layer
from tests.support import images
from tests.support.checks import nothing_wrong, one_error
from tests.support.engine import Engine
from tests.support.layout import DOCKER_SCHEMA1, Entry, Layout, layer_tar
from tests.support.waiting import free_port, until

Break = Callable[[FaultyRegistry], None]

NAME = "me/broken"
LAYER = layer_tar([Entry("noise", bytes(range(256)) * 800)])
ONCE = ("--retry", "1", "--retry-delay", "0s")

SLOW = pytest.mark.not_podman("it tries again for a minute, and cannot be told not to")


def pull(pod: Engine, reference: str, *options: str) -> str:
    """The error of a pull that must fail; nothing of it is left."""
    if pod.kind == "podman":
        options = ("--tls-verify=false",)  # it has no options for retries
    before = pod("images", "-q").stdout
    result = pod("pull", *options, reference, status=125, timeout=80)
    assert pod("images", "-q").stdout == before
    return one_error(result)


def always(part: str, **reply: Any) -> Break:
    """Every request whose path has `part` gets this reply."""
    return lambda server: server.fault(part, *[Reply(**reply)] * 50)


def _other_content(server: FaultyRegistry) -> None:
    server.blobs[digest_of(LAYER)] = LAYER[:-1] + b"\1"


def _half(server: FaultyRegistry) -> None:
    server.ranges = False  # so that no attempt gets further than the one before it
    server.fault("/blobs/" + digest_of(LAYER), *[Reply(usual=True, cut=1000)] * 50)


def _wrong_manifest(server: FaultyRegistry) -> None:
    server.fault("/manifests/", *[Reply(200, {"Docker-Content-Digest": digest_of(b"")}, b"{}")] * 9)


def _list_for_others(server: FaultyRegistry) -> None:
    platforms = [("s390x", digest_of(b"1")), ("ppc64le", digest_of(b"2"))]
    manifests = [
        {
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "digest": digest,
            "size": 1,
            "platform": {"os": "linux", "architecture": name},
        }
        for name, digest in platforms
    ]
    document = {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": manifests}
    server.add_manifest(f"{NAME}:latest", document, DOCKER_LIST)


def _schema1(server: FaultyRegistry) -> None:
    server.add_manifest(f"{NAME}:latest", images.image("busybox").schema1(), DOCKER_SCHEMA1)


def _web_page(server: FaultyRegistry) -> None:
    page = Reply(200, {"Content-Type": "text/html"}, b"<html><body>Log in to this WLAN</body>")
    server.fault("/manifests/", *[page] * 9)


FAULTS = [
    pytest.param(always("/manifests/", status=401, headers={"Www-Authenticate": 'Basic realm="x"'}),
                 "needs a login", id="401"),
    pytest.param(always("/manifests/", status=403), "needs a login", id="403"),
    pytest.param(always("/manifests/", status=404), "not in registry", id="404"),
    pytest.param(always("/blobs/", status=404), "blob 'sha256:", id="blob-404"),
    pytest.param(always("/manifests/", status=429, headers={"Retry-After": "0"}),
                 "refuses more requests for now", id="429"),
    pytest.param(always("/manifests/", status=500), "failed with status 500", id="500", marks=SLOW),
    pytest.param(always("/blobs/", status=503), "failed with status 503", id="blob-503", marks=SLOW),
    pytest.param(always("/manifests/", usual=True, cut=10), "was lost", id="half a manifest", marks=SLOW),
    pytest.param(_half, "was lost", id="half a blob", marks=SLOW),
    pytest.param(_other_content, "is damaged", id="wrong digest"),
    pytest.param(_wrong_manifest, "should have digest", id="wrong manifest"),
    pytest.param(_list_for_others, "it has linux/s390x, linux/ppc64le", id="other platforms"),
    pytest.param(_schema1, "schema 1", id="schema 1"),
    pytest.param(_web_page, "not JSON", id="web page"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "words"), FAULTS)
def test_fault_is_one_sentence(
    pod: Engine, server: FaultyRegistry, fault: Break, words: str
) -> None:
    server.add_image(f"{NAME}:latest", [small_layer(), LAYER])
    fault(server)
    message = pull(pod, f"{server.host}/{NAME}", *ONCE)
    if pod.kind == "pod":
        assert words in message
        assert NAME in message or server.host in message or "sha256:" in message
    pod("system", "prune", "--external", "-f", status=None)  # what the next pull would go on with
    nothing_wrong(pod)


def test_registry_that_is_down(pod: Engine) -> None:
    message = pull(pod, f"127.0.0.1:{free_port()}/{NAME}")
    if pod.kind == "pod":
        assert "nothing listens there" in message


def test_registry_that_does_not_exist(pod: Engine) -> None:
    message = pull(pod, f"registry.invalid/{NAME}", *ONCE)
    assert "registry.invalid" in message


def test_registry_that_speaks_no_tls(pod: Engine, server: FaultyRegistry) -> None:
    server.add_image(f"{NAME}:latest", [LAYER])
    assert one_error(pod("pull", "--tls-verify", f"{server.host}/{NAME}", status=125))
    assert server.requests == [], "something was sent in the clear"


def test_registry_with_an_unknown_certificate(pod: Engine, registry_with: Any) -> None:
    secure = registry_with(tls=True)
    reference = f"{secure.host}/me/busybox"
    secure.push(images.image("busybox"), "me/busybox")
    result = pod("pull", "--tls-verify", reference, status=125)
    message = one_error(result)
    if pod.kind == "pod":
        assert "unknown authority" in message
        assert f"certs.d/{secure.host}/ca.crt" in result.stderr
    pod("pull", "-q", "--tls-verify=false", reference)
    pod("rmi", reference)
    directory = os.path.join(pod.environment["HOME"], ".config/containers/certs.d", secure.host)
    os.makedirs(directory)
    os.symlink(secure.certificate, f"{directory}/ca.crt")
    pod("pull", "-q", "--tls-verify", reference)


def test_other_platform_can_be_asked_for(pod: Engine, server: FaultyRegistry) -> None:
    _list_for_others(server)
    result = pod("pull", "--tls-verify=false", f"{server.host}/{NAME}", status=125)
    if pod.kind == "pod":
        assert "Hint: --platform linux/s390x" in result.stderr


def test_slow_registry_can_be_interrupted_and_continued(
    pod: Engine, server: FaultyRegistry
) -> None:
    """Control-C in the middle of a layer; the next pull asks for the rest alone."""
    big = layer_tar([Entry("noise", os.urandom(4_000_000))])
    digest = digest_of(big)
    server.add_image(f"{NAME}:latest", [big])
    gate = threading.Event()
    server.slow = (3_000_000, gate)
    reference = f"{server.host}/{NAME}"
    with pod.spawn("pull", "--tls-verify=false", reference) as process:
        until(lambda: server.seen("/blobs/" + digest), "the layer asked for")
        partial = f"{pod.root}/images/partial/{digest.removeprefix('sha256:')}"
        if pod.kind == "pod":
            until(lambda: os.path.exists(partial) and os.path.getsize(partial) > 1_000_000, "half")
        process.send_signal(2)
        _, error = process.communicate(timeout=30)
    assert process.returncode != 0
    assert b"Traceback" not in error
    gate.set()
    server.slow = None
    assert reference not in pod("images", "--format", "{{.Repository}}").lines
    if pod.kind == "pod":
        have = os.path.getsize(partial)
        assert have > 1_000_000
    pod("pull", "-q", "--tls-verify=false", reference)
    if pod.kind == "pod":
        assert server.seen("/blobs/" + digest)[-1].headers["Range"] == f"bytes={have}-"
    nothing_wrong(pod)


@pytest.mark.not_podman("version 4.3 gives up where the connection breaks")
def test_blob_is_continued_within_one_pull(pod: Engine, server: FaultyRegistry) -> None:
    server.add_image(f"{NAME}:latest", [LAYER])
    server.fault("/blobs/" + digest_of(LAYER), Reply(usual=True, cut=70_000))
    pod("pull", "-q", "--tls-verify=false", f"{server.host}/{NAME}")
    asked = [seen.headers.get("Range") for seen in server.seen("/blobs/" + digest_of(LAYER))]
    assert asked[1].startswith("bytes=70000-")
    nothing_wrong(pod)


def test_run_of_an_unknown_image(pod: Engine, server: FaultyRegistry) -> None:
    """`run` and `create` say the same as `pull`, and make no container."""
    for command in ("run", "create"):
        reference = f"{server.host}/no/such"
        result = pod(command, "--tls-verify=false", reference, "true", status=125)
        assert "no/such" in one_error(result)
        one_error(pod(command, "--pull", "never", "no-such-image", "true", status=125))
        one_error(pod(command, "Not-A-Name", "true", status=125))
    assert pod("ps", "-a", "-q").stdout == ""


# Archives


def archive(path: Path, change: Callable[[dict[str, bytes]], object] = lambda members: None) -> str:
    """A docker-archive of one layer, after `change` of its members by name."""
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(LAYER)]},
        }
    ).encode()
    name = digest_of(config).removeprefix("sha256:") + ".json"
    listing = [{"Config": name, "RepoTags": ["localhost/broken:1"], "Layers": ["layer.tar"]}]
    members = {
        "manifest.json": json.dumps(listing).encode(),
        name: config,
        "layer.tar": LAYER,
    }
    change(members)
    with tarfile.open(path, "w") as out:
        for member, content in members.items():
            entry = Entry(member, content)
            out.addfile(entry.header(), _reader(content))
    return str(path)


def _reader(content: bytes) -> Any:
    return io.BytesIO(content)


def _damage(members: dict[str, bytes]) -> None:
    members["layer.tar"] = LAYER[:5000] + b"X" + LAYER[5001:]


def _no_config(members: dict[str, bytes]) -> None:
    for name in [name for name in members if name != "manifest.json" and name.endswith(".json")]:
        del members[name]


BAD_ARCHIVES = [
    pytest.param(lambda m: m.pop("layer.tar"), "'layer.tar' is missing", id="missing layer"),
    pytest.param(_no_config, "is missing", id="missing configuration"),
    pytest.param(lambda m: m.pop("manifest.json"), "neither", id="missing list"),
    pytest.param(lambda m: m.update({"manifest.json": b"{"}), "not JSON", id="bad list"),
    pytest.param(_damage, "", id="damaged layer"),
]


@pytest.mark.parametrize(("change", "words"), BAD_ARCHIVES)
def test_bad_archive(pod: Engine, tmp_path: Path, change: Any, words: str) -> None:
    path = archive(tmp_path / "image.tar", change)
    message = one_error(pod("load", "-i", path, status=125))
    if pod.kind == "pod":
        assert words in message
        assert path in message or "blob" in message or "layer" in message
    assert "localhost/broken" not in pod("images", "--format", "{{.Repository}}").lines
    nothing_wrong(pod)


def test_truncated_archive(pod: Engine, tmp_path: Path) -> None:
    """Cut anywhere, also in the last layer; as a file and through a pipe."""
    path = archive(tmp_path / "image.tar")
    whole = Path(path).read_bytes()
    for size in (0, 100, 700, 2500, 100_000, len(LAYER)):
        Path(path).write_bytes(whole[:size])
        message = one_error(pod("load", "-i", path, status=125))
        if pod.kind == "pod":
            assert path in message
        one_error(pod("load", stdin=whole[:size], status=125))
    assert "localhost/broken" not in pod("images", "--format", "{{.Repository}}").lines
    nothing_wrong(pod)


def test_what_is_not_an_archive(pod: Engine, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"#!/bin/sh\necho no image\n" * 100)
    one_error(pod("load", "-i", str(path), status=125))
    one_error(pod("load", "-i", str(tmp_path / "nothing"), status=125), hint=None)
    one_error(pod("load", "-i", str(tmp_path), status=125))
    for transport in ("docker-archive", "oci-archive", "oci", "dir"):
        message = one_error(pod("pull", f"{transport}:{path}", status=125))
        if pod.kind == "pod":
            assert str(path) in message
        one_error(pod("run", f"{transport}:{tmp_path}/nothing", "true", status=125))
    nothing_wrong(pod)


def test_layout_without_its_layer(pod: Engine, tmp_path: Path) -> None:
    layout = Layout(str(tmp_path / "layout"))
    layer = layout.add_layer(LAYER)
    layout.add_image([layer])
    os.unlink(layout.blob_path(layer[0]["digest"]))
    one_error(pod("pull", f"oci:{layout.path}", status=125))
    one_error(pod("run", "--rm", f"oci:{layout.path}", "true", status=125))
    nothing_wrong(pod)
