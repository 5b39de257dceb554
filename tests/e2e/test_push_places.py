"""`pod push` to other places than registries: archives, directories, stores."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.support import images
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine
from tests.support.layout import Layout
from tests.support.registry import Registry

INSECURE = "--tls-verify=false"
TRANSPORTS = ["docker-archive", "oci-archive", "oci", "dir"]


def skopeo_digest(location: str) -> str:
    done = subprocess.run(
        ["skopeo", "inspect", "--format", "{{.Digest}}", location], capture_output=True, text=True
    )
    assert done.returncode == 0, done
    return done.stdout.strip()


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_places(pod: Engine, fresh_pod: Engine, tmp_path: Path, transport: str) -> None:
    """skopeo finds what --digestfile says; the image runs from there."""
    location = f"{transport}:{tmp_path}/place"
    named = location if transport == "dir" else f"{location}:localhost/named:7"
    file = tmp_path / "digest"
    pushed = pod("push", "--digestfile", str(file), "busybox", named)
    assert pushed.stdout == ""
    assert skopeo_digest(named) == file.read_text()
    if pod.kind == "pod" and transport != "docker-archive":
        assert file.read_text() == pod("inspect", "--format", "{{.Digest}}", "busybox").out
    run = fresh_pod("run", "--rm", "--network", "none", named, "echo", "in")
    assert run.out == "in"
    pod("push", "-q", "busybox", f"{location}-nameless")


@pytest.mark.not_podman("it compresses layers again, so that the digest changes")
@pytest.mark.parametrize("docker", [False, True], ids=["oci", "v2s2"])
def test_digest_stays_the_same_all_the_way(
    pod: Engine, fresh_pod: Engine, registry: Registry, tmp_path: Path, docker: bool
) -> None:
    """Pull, save, load in another store, push from there; and by way of what `push` writes."""
    image = images.image("busybox").copy(Layout(str(tmp_path / "l")), docker=docker)
    repository = f"same/{'docker' if docker else 'oci'}"
    digest = registry.push(image, repository)
    name = f"{registry.host}/{repository}"
    pod("pull", "-q", INSECURE, name)
    ways = [("save",), ("push", "docker-archive:"), ("push", "dir:")]
    # The other formats are of one family each, and give an image its words.
    ways += (
        [("save", "--format", "docker-dir")]
        if docker
        else [("save", "--format", "oci-archive"), ("push", "oci:")]
    )
    for number, (command, *how) in enumerate(ways):
        path = str(tmp_path / str(number))
        if command == "save":
            pod("save", "-q", *how, "-o", path, name)
            form = how[1] if how else "docker-archive"
            location = f"{form.replace('docker-dir', 'dir')}:{path}"
        else:
            location = how[0] + path
            pod("push", "-q", name, location)
        loaded = fresh_pod("pull", "-q", location).out
        target = f"{registry.host}/way/{repository}-{number}"
        fresh_pod("push", "-q", INSECURE, loaded, target)
        answer = registry.request(
            "GET",
            f"/v2/way/{repository}-{number}/manifests/latest",
            headers={"Accept": image.manifest()["mediaType"]},
        )
        assert answer.headers["Docker-Content-Digest"] == digest, (command, how)
        fresh_pod("rmi", "-f", loaded)


@pytest.mark.not_podman("its own store is written another way")
def test_stores(pod: Engine, fresh_pod: Engine) -> None:
    """Another name in this store; a copy in another one."""
    pod("push", "-q", "busybox", "containers-storage:localhost/renamed:2")
    form = ("image", "inspect", "--format", "{{.Id}} {{.Digest}}")
    assert pod(*form, "localhost/renamed:2").out == pod(*form, "busybox").out
    fresh_pod("images")
    pod("push", "-q", "busybox", f"containers-storage:[{fresh_pod.root}]localhost/copied:3")
    assert fresh_pod(*form, "localhost/copied:3").out == pod(*form, "busybox").out
    run = fresh_pod("run", "--rm", "--network", "none", "localhost/copied:3", "echo", "in")
    assert run.out == "in"
    nothing_wrong(fresh_pod)
    refused = pod("push", "busybox", "containers-storage:[nowhere]x", status=125)
    assert "[DRIVER@/ROOT]" in refused.stderr


def test_directory_is_replaced(pod: Engine, tmp_path: Path) -> None:
    """One that holds an image; nothing else is touched."""
    path = tmp_path / "place"
    pod("import", "-q", "-", "localhost/empty:1", stdin=b"\0" * 10240)
    pod("push", "-q", "localhost/empty:1", f"dir:{path}")
    pod("push", "-q", "busybox", f"dir:{path}")
    manifest = json.loads((path / "manifest.json").read_text())
    blobs = [manifest["config"], *manifest["layers"]]
    names = {"version", "manifest.json", *(blob["digest"].partition(":")[2] for blob in blobs)}
    assert set(os.listdir(path)) == names
    if pod.kind == "pod":
        (tmp_path / "mine").write_text("x")
        assert "not empty" in pod("push", "busybox", f"dir:{tmp_path}", status=125).stderr
        assert (tmp_path / "mine").exists()


@pytest.mark.not_podman("other words; it knows images in a layout by their tags alone")
def test_one_of_several_images_in_a_layout(fresh_pod: Engine, tmp_path: Path) -> None:
    """Nothing is taken when none is chosen, and the name that is offered is one that can be typed."""
    layout = Layout(str(tmp_path / "many"))
    for name in ("one", "two"):
        images.image("busybox").copy(layout, name=name, config={"Cmd": [name]})
    refused = fresh_pod("pull", f"oci:{layout.path}", status=125)
    assert "has 2 images; name one of them" in refused.stderr
    assert fresh_pod("images", "-q").lines == []
    offered = refused.stderr.partition("Hint: ")[2].strip()
    fresh_pod("pull", "-q", offered)
    assert len(fresh_pod("images", "-q").lines) == 1
    unknown = fresh_pod("pull", f"oci:{layout.path}:three", status=125)
    assert unknown.stderr.endswith("has no image 'three', but one, two\n")


@pytest.mark.not_podman("version 4.3 ignores it, or has no such flag")
def test_forms_of_places(pod: Engine, tmp_path: Path) -> None:
    zstd = ("--compression-format", "zstd", "--compression-level", "9")
    for location in (f"oci:{tmp_path}/oci:x", f"dir:{tmp_path}/dir"):
        pod("push", "-q", *zstd, "busybox", location)
        done = subprocess.run(["skopeo", "inspect", "--raw", location], capture_output=True)
        (layer,) = json.loads(done.stdout)["layers"]
        assert layer["mediaType"].endswith("tar+zstd")
    pod("push", "-q", "--format", "v2s2", "busybox", f"dir:{tmp_path}/docker")
    document = json.loads((tmp_path / "docker" / "manifest.json").read_text())
    assert "docker" in document["mediaType"]
    assert "docker" in document["layers"][0]["mediaType"]
    for words in (zstd, ("--format", "oci"), ("--compression-level", "3")):
        archive = f"docker-archive:{tmp_path}/archive"
        result = pod("push", *words, "busybox", archive, status=125)
        assert "no effect" in result.stderr
    assert (
        "v2s2" in pod("push", "--format", "v2s2", "busybox", f"oci:{tmp_path}/o", status=125).stderr
    )
