"""`pod manifest push`: lists of images to registries, layouts and directories, as they are and in other forms."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.layout import DOCKER_LIST, DOCKER_MANIFEST, OCI_MANIFEST, Layout
from tests.support.lists import INSECURE, entries, import_two, local, put_several, top
from tests.support.registry import Registry
from tests.support.waiting import until


def test_pushed_with_images_from_here_and_elsewhere(
    pod: Engine, registry: Registry, tmp_path: Path
) -> None:
    """Those of another repository too: all that the list names is there afterwards."""
    name, _, (theirs, _) = put_several(registry, Layout(str(tmp_path)), "me/source")
    pod("manifest", "create", "app")
    pod("manifest", "add", INSECURE, "app", f"docker://{name}@{theirs}")
    busybox = (
        "busybox" if pod.kind == "pod" else "containers-storage:docker.io/library/busybox:latest"
    )
    pod("manifest", "add", "app", busybox)
    file = tmp_path / "digest"
    pod(
        "manifest",
        "push",
        "--all",
        INSECURE,
        "--digestfile",
        str(file),
        "app",
        f"docker://{registry.host}/me/app:1",
    )
    document, digest = top(registry, "me/app", "1")
    assert file.read_text() == digest
    assert [it["platform"]["architecture"] for it in document["manifests"]] == ["arm64", "amd64"]
    for entry in document["manifests"]:
        answer = registry.request(
            "GET",
            f"/v2/me/app/manifests/{entry['digest']}",
            headers={"Accept": f"{OCI_MANIFEST}, {DOCKER_MANIFEST}"},
        )
        manifest = json.loads(answer.body)
        for blob in (manifest["config"], *manifest["layers"]):
            assert registry.request("HEAD", f"/v2/me/app/blobs/{blob['digest']}").status == 200
    pod("pull", "-q", INSECURE, f"{registry.host}/me/app:1")
    assert (
        pod("run", "--rm", "--network", "none", f"{registry.host}/me/app:1", "echo", "in").out
        == "in"
    )


def test_pushed_and_removed(pod: Engine, registry: Registry, tmp_path: Path) -> None:
    import_two(pod, tmp_path)
    target = f"{registry.host}/me/gone:1"
    pod("manifest", "create", target)
    pod("manifest", "add", target, local(pod, "mine"))
    assert (
        pod("manifest", "push", "-q", "--rm", INSECURE, target, f"docker://{target}").stderr == ""
    )
    assert pod("images", "-q", target).lines == []
    assert top(registry, "me/gone", "1")[0]["manifests"]
    pod("manifest", "push", "nothing", f"docker://{target}", status=125)


def test_what_a_registry_has_lost_is_sent_again(
    pod: Engine, registry: Registry, tmp_path: Path
) -> None:
    """Though it has the manifests of all images of the list."""
    import_two(pod, tmp_path)
    pod("manifest", "create", "lossy", local(pod, "mine"), local(pod, "other"))
    target = f"docker://{registry.host}/me/lossy:1"
    pod("manifest", "push", "-q", "--all", INSECURE, "lossy", target)
    digest = top(registry, "me/lossy", "1")[0]["manifests"][0]["digest"]
    accept = {"Accept": f"{OCI_MANIFEST}, {DOCKER_MANIFEST}"}
    answer = registry.request("GET", f"/v2/me/lossy/manifests/{digest}", headers=accept)
    (layer,) = json.loads(answer.body)["layers"]
    registry.request("DELETE", f"/v2/me/lossy/blobs/{layer['digest']}")
    assert registry.request("HEAD", f"/v2/me/lossy/blobs/{layer['digest']}").status == 404
    pod("manifest", "push", "-q", "--all", INSECURE, "lossy", target)
    assert registry.request("HEAD", f"/v2/me/lossy/blobs/{layer['digest']}").status == 200


@pytest.mark.not_podman("the images of a list in a registry are copied into the store first")
def test_blobs_of_other_repositories_are_mounted(
    pod: Engine, registry: Registry, tmp_path: Path
) -> None:
    """Those that the list was told of; nothing of them is fetched or sent."""
    name, _, (theirs, ours) = put_several(registry, Layout(str(tmp_path)), "me/mounted-from")
    pod("manifest", "create", "elsewhere")
    for digest in (theirs, ours):
        pod("manifest", "add", INSECURE, "elsewhere", f"docker://{name}@{digest}")
    before = len(registry.requests_seen())
    target = f"docker://{registry.host}/me/mounted-to:1"
    pod("manifest", "push", "-q", "--all", INSECURE, "elsewhere", target)

    def done() -> bool:
        seen = registry.requests_seen()[before:]
        return "PUT /v2/me/mounted-to/manifests/1" in seen

    until(done, "the registry's log has the last request")
    blobs = [line for line in registry.requests_seen()[before:] if "/blobs/" in line]
    sent = [line for line in blobs if not line.startswith("HEAD ")]
    assert sent
    assert all("?mount=" in line and "&from=me/mounted-from" in line for line in sent)


@pytest.mark.not_podman("the destination was not optional in 4.3, which has no --purge")
def test_pushed_where_its_name_says(pod: Engine, registry: Registry, tmp_path: Path) -> None:
    import_two(pod, tmp_path)
    target = f"{registry.host}/me/named:1"
    pod("manifest", "create", target, "mine", "other")
    pod("push", "-q", INSECURE, target)
    assert len(top(registry, "me/named", "1")[0]["manifests"]) == 2
    pod("manifest", "push", "--insecure", "--purge", "--format", "v2s2", target)
    assert top(registry, "me/named", "1")[0]["mediaType"] == DOCKER_LIST
    pod("manifest", "exists", target, status=1)
    pod("manifest", "create", "--annotation", "a=b", "annotated")
    assert (
        "cannot have 'annotations'"
        in pod("manifest", "push", "--format", "v2s2", "annotated", target, status=125).stderr
    )


@pytest.mark.parametrize("docker", [False, True], ids=["oci", "docker"])
@pytest.mark.not_podman("pulls one platform at a time")
def test_pulled_whole_and_pushed_is_the_same(
    pod: Engine, registry: Registry, tmp_path: Path, docker: bool
) -> None:
    name, digest, (theirs, ours) = put_several(
        registry, Layout(str(tmp_path)), f"me/whole{docker:d}", docker=docker
    )
    number = pod("pull", "-q", "--all-platforms", INSECURE, name).out
    assert (
        pod("images", "--format", "{{.ID}} {{.Digest}}", "--no-trunc", name).out
        == f"sha256:{number} {digest}"
    )
    assert pod("pull", "-q", "--all-platforms", INSECURE, name).out == number
    pod("push", "-q", INSECURE, name, f"{registry.host}/you/whole{docker:d}:2")
    pushed, there = top(registry, f"you/whole{docker:d}", "2")
    assert there == digest
    assert [it["digest"] for it in pushed["manifests"]] == [theirs, ours]
    assert pod("run", "--rm", "--network", "none", name, "echo", "in").out == "in"
    form = "{{.Architecture}} {{.Digest}}"
    assert pod("image", "inspect", "--format", form, name).out == f"amd64 {ours}"
    pod("create", "--name", "foreign", "--platform", "linux/arm64", name)
    assert pod("inspect", "--format", "{{.ImageDigest}}", "foreign").out == theirs
    pod("rm", "foreign")
    pod("rmi", name)


@pytest.mark.not_podman("writes lists in its own words")
@pytest.mark.parametrize("transport", ["oci", "oci-archive"])
def test_layouts(pod: Engine, registry: Registry, tmp_path: Path, transport: str) -> None:
    """A list pushed into a layout is read again, by ourselves, and has the same digest there."""
    name, digest, (theirs, _) = put_several(
        registry, Layout(str(tmp_path / "layout")), "me/layouts"
    )
    pod("pull", "-q", "--all-platforms", INSECURE, name)
    place = f"{transport}:{tmp_path}/there:v1"
    file = tmp_path / "digest"
    pod("manifest", "push", "-q", "--digestfile", str(file), name, place)
    assert file.read_text() == digest
    pod("manifest", "create", "again")
    pod("manifest", "add", "--arch", "arm64", "again", place)
    if transport == "oci":
        index = json.loads((tmp_path / "there" / "index.json").read_text())
        assert [it["digest"] for it in index["manifests"]] == [digest]
        pod("manifest", "push", "-q", name, place)
        assert json.loads((tmp_path / "there" / "index.json").read_text()) == index
        assert os.path.exists(tmp_path / "there" / "blobs" / "sha256" / theirs[7:])


def test_directory(pod: Engine, registry: Registry, tmp_path: Path) -> None:
    import_two(pod, tmp_path)
    pod("manifest", "create", "filed")
    pod("manifest", "add", "filed", local(pod, "mine"))
    digest = entries(pod, "filed")[0]["digest"]
    pod("manifest", "push", "--all", "filed", f"dir:{tmp_path}/there")
    names = set(os.listdir(tmp_path / "there"))
    assert {"version", "manifest.json", f"{digest[7:]}.manifest.json"} <= names
    document = json.loads((tmp_path / "there" / "manifest.json").read_text())
    assert [it["digest"] for it in document["manifests"]] == [digest]


def test_directory_is_replaced(pod: Engine, tmp_path: Path) -> None:
    """A list by itself, by another one, and by an image, of which nothing is left then but what it needs."""
    import_two(pod, tmp_path)
    there = tmp_path / "there"
    for name, member in (("one", "mine"), ("two", "other")):
        pod("manifest", "create", name, local(pod, member))
        for _ in range(2):
            pod("manifest", "push", "-q", "--all", name, f"dir:{there}")
        digest = entries(pod, name)[0]["digest"]
        assert (there / f"{digest[7:]}.manifest.json").exists()
        if pod.kind == "pod":  # others leave what was there
            assert len(list(there.glob("*.manifest.json"))) == 1
            assert len(list(there.iterdir())) == 5
    pod("push", "-q", "mine", f"dir:{there}")
    if pod.kind == "pod":
        assert not list(there.glob("*.manifest.json"))
        (tmp_path / "file").write_text("x")
        refused = pod("manifest", "push", "--all", "one", f"dir:{tmp_path}", status=125)
        assert "not empty" in refused.stderr


def layer_types(registry: Registry, repository: str, entry: dict[str, Any]) -> set[str]:
    accept = {"Accept": f"{OCI_MANIFEST}, {DOCKER_MANIFEST}"}
    answer = registry.request(
        "GET", f"/v2/{repository}/manifests/{entry['digest']}", headers=accept
    )
    manifest = json.loads(answer.body)
    assert manifest["mediaType"] == entry["mediaType"]
    assert len(answer.body) == entry["size"]
    return {layer["mediaType"].rpartition(".")[2] for layer in manifest["layers"]}


@pytest.mark.not_podman("4.3 compresses images of this store only, and knows no --add-compression")
@pytest.mark.parametrize(
    ("options", "manifests", "layers"),
    [
        (["--compression-format", "zstd"], OCI_MANIFEST, ["tar+zstd", "tar+zstd"]),
        (["--compression-format", "none", "--format", "v2s2"], DOCKER_MANIFEST, ["tar", "tar"]),
        (["--format", "v2s2"], DOCKER_MANIFEST, ["gzip", "gzip"]),
        (
            ["--add-compression", "zstd,gzip"],
            OCI_MANIFEST,
            ["tar+gzip", "tar+gzip", "tar+zstd", "tar+zstd"],
        ),
    ],
    ids=["zstd", "none", "docker", "added"],
)
def test_pushed_in_another_form(
    pod: Engine,
    registry: Registry,
    tmp_path: Path,
    options: list[str],
    manifests: str,
    layers: list[str],
) -> None:
    """The list names what its images have become, and they run; the local one stays what it is."""
    name, digest, _ = put_several(registry, Layout(str(tmp_path)), "me/form")
    pod("pull", "-q", "--all-platforms", INSECURE, name)
    target = f"me/form{len(''.join(options))}"
    pod("manifest", "push", "-q", INSECURE, *options, name, f"{registry.host}/{target}")
    document, there = top(registry, target)
    assert there != digest
    assert {it["mediaType"] for it in document["manifests"]} == {manifests}
    found = [layer_types(registry, target, entry) for entry in document["manifests"]]
    assert found == [{kind} for kind in layers]
    is_zstd = "io.github.containers.compression.zstd"
    marked = [it.get("annotations", {}).get(is_zstd) for it in document["manifests"]]
    assert marked == (
        [None, None, "true", "true"] if "--add-compression" in options else [None] * 2
    )
    assert pod("images", "--digests", "--format", "{{.Digest}}", name).out == digest
    pod("pull", "-q", INSECURE, f"{registry.host}/{target}")
    done = pod("run", "--rm", "--network", "none", f"{registry.host}/{target}", "echo", "in")
    assert done.out == "in"


@pytest.mark.not_podman("its lists name images that are not there")
def test_images_that_were_made_here_are_compressed(
    pod: Engine, registry: Registry, tmp_path: Path
) -> None:
    import_two(pod, tmp_path)
    target = f"{registry.host}/me/made-here:1"
    pod("manifest", "create", target, "mine", "other")
    pod("push", "-q", INSECURE, target)
    for entry in top(registry, "me/made-here", "1")[0]["manifests"]:
        assert layer_types(registry, "me/made-here", entry) == {"tar+gzip"}
    for options in (["--add-compression", "lzma"], ["--all=false", "--add-compression", "zstd"],
                    ["--compression-format", "zstd", "--format", "v2s2"]):  # fmt: skip
        pod("manifest", "push", INSECURE, *options, target, status=125)


@pytest.mark.not_podman("pulls one platform at a time")
def test_damaged_parts_are_found_and_fetched_again(
    pod: Engine, registry: Registry, tmp_path: Path
) -> None:
    name, digest, (theirs, _) = put_several(registry, Layout(str(tmp_path)), "me/damaged")
    pod("pull", "-q", "--all-platforms", INSECURE, name)
    blob = Path(pod.root) / "images" / "blobs" / "sha256" / theirs[7:]
    blob.write_bytes(b"{}")
    assert f"blob '{theirs}' of list of images '{name}:latest' has other content" in (
        pod("system", "check", status=None).stdout
    )
    pod("system", "check", "--repair", "--force", status=None)
    assert not blob.exists()
    file = tmp_path / "digest"
    pod("push", "-q", INSECURE, "--digestfile", str(file), name, f"{registry.host}/me/mended")
    assert file.read_text() == digest
    assert blob.exists()
    pod("system", "check")
