"""`pod manifest` and lists of images: made, changed, pulled whole, pushed, run, removed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support import images
from tests.support.engine import Engine
from tests.support.layout import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Layout
from tests.support.registry import Registry

INSECURE = "--tls-verify=false"
ARM = {"architecture": "arm64", "os": "linux", "variant": "v8"}


def put_several(
    registry: Registry, layout: Layout, repository: str, *, docker: bool = False
) -> tuple[str, str, list[str]]:
    """A list of busybox for amd64 and for arm64 in the registry: its name, its digest, and those of its images."""
    busybox = images.image("busybox")
    ours = busybox.copy(layout, docker=docker)
    theirs = busybox.copy(
        layout, docker=docker, architecture="arm64", variant="v8", config={"Cmd": ["x"]}
    )
    digest = registry.push_index(ours, layout.add_index([theirs, ours], docker=docker), repository)
    return f"{registry.host}/{repository}", digest, [theirs.digest, ours.digest]


def import_two(pod: Engine, tmp_path: Path) -> None:
    """Images "mine" and "other", for this machine and for arm64."""
    archive = tmp_path / "root.tar"
    archive.write_bytes(b"\0" * 10240)
    pod("import", "-q", str(archive), "mine")
    pod("import", "-q", "--arch", "arm64", str(archive), "other")


def local(pod: Engine, name: str) -> str:
    """How both engines are told that an image is here."""
    return name if pod.kind == "pod" else f"containers-storage:localhost/{name}:latest"


def entries(pod: Engine, name: str) -> list[dict[str, Any]]:
    return list(pod("manifest", "inspect", name).json()["manifests"] or [])


def top(registry: Registry, repository: str, tag: str = "latest") -> tuple[dict[str, Any], str]:
    """A list in the registry, and its digest."""
    accept = {"Accept": f"{OCI_INDEX}, {DOCKER_LIST}"}
    answer = registry.request("GET", f"/v2/{repository}/manifests/{tag}", headers=accept)
    return json.loads(answer.body), str(answer.headers["Docker-Content-Digest"])


def test_made_from_images_that_are_here(pod: Engine, tmp_path: Path) -> None:
    import_two(pod, tmp_path)
    number = pod("manifest", "create", "app").out
    assert len(number) == 64
    assert entries(pod, "app") == []
    pod("manifest", "create", "app", status=125)
    assert pod("manifest", "create", "--amend", "app").out == number
    pod("manifest", "add", "app", local(pod, "mine"))
    pod("manifest", "add", "--variant", "v8", "--annotation", "a=b=c", "app", local(pod, "other"))
    pod("manifest", "add", "app", local(pod, "mine"))
    digest = pod("inspect", "--format", "{{.Digest}}", "mine").out
    mine, other = sorted(entries(pod, "app"), key=lambda entry: entry["digest"] != digest)
    assert mine["platform"] == {"architecture": "amd64", "os": "linux"}
    assert other["platform"] == ARM
    assert other["annotations"] == {"a": "b=c"}
    assert mine["digest"] == digest
    assert pod("images", "-q", "--no-trunc", "app").out == f"sha256:{number}"
    assert pod("manifest", "exists", "app").stdout == ""
    pod("manifest", "exists", "nothing", status=1)


def test_annotated(pod: Engine, tmp_path: Path) -> None:
    import_two(pod, tmp_path)
    pod("manifest", "create", "app")
    pod("manifest", "add", "app", local(pod, "mine"))
    digest = entries(pod, "app")[0]["digest"]
    pod("manifest", "annotate", "--arch", "arm64", "--variant", "v8", "--os-version", "7", "--os-features", "x,y",
        "--annotation", "a=b", "--annotation", "c=", "app", digest)  # fmt: skip
    (entry,) = entries(pod, "app")
    assert entry["platform"] == {**ARM, "os.version": "7", "os.features": ["x", "y"]}
    assert entry["annotations"] == {"a": "b", "c": ""}
    pod("manifest", "annotate", "app", "sha256:" + "0" * 64, status=125)
    pod("manifest", "annotate", "nothing", digest, status=125)


@pytest.mark.not_podman("4.3 knows entries by digest only, and no annotations of the list")
def test_annotated_by_name_and_as_a_whole(pod: Engine, tmp_path: Path) -> None:
    import_two(pod, tmp_path)
    pod("manifest", "create", "--annotation", "version=1", "app", "mine", "other")
    pod("manifest", "annotate", "--features", "sse", "app", "mine")
    pod("manifest", "annotate", "--index", "--annotation", "by=me", "--subject", "other", "app")
    document = pod("manifest", "inspect", "app").json()
    assert document["annotations"] == {"version": "1", "by": "me"}
    assert document["subject"]["digest"] == document["manifests"][1]["digest"]
    assert document["manifests"][0]["platform"]["features"] == ["sse"]
    assert "annotations" not in document["manifests"][0]
    pod("manifest", "annotate", "app", status=125)
    pod("manifest", "annotate", "--index", "--arch", "arm", "app", status=125)


def test_entries_and_lists_are_removed(pod: Engine, tmp_path: Path) -> None:
    import_two(pod, tmp_path)
    pod("manifest", "create", "app")
    pod("manifest", "add", "app", local(pod, "mine"))
    digest = entries(pod, "app")[0]["digest"]
    pod("manifest", "remove", "app", "sha256:" + "0" * 64, status=125)
    pod("manifest", "remove", "app", digest)
    assert entries(pod, "app") == []
    pod("manifest", "remove", "app", digest, status=125)
    pod("tag", "app", "second")
    assert "Untagged: localhost/second:latest" in pod("manifest", "rm", "second").stdout
    pod("manifest", "rm", "mine", status=None)
    assert pod("images", "-q", "mine").lines, "an image is no list"
    assert "Deleted: " in pod("manifest", "rm", "app").stdout
    pod("manifest", "rm", "app", status=None)
    assert pod("images", "-q", "--filter", "reference=app").out == ""


@pytest.mark.not_podman("4.3 says that such names are in use, or has no --ignore")
def test_names_stand_for_one_thing(pod: Engine, tmp_path: Path) -> None:
    import_two(pod, tmp_path)
    assert "belongs to an image" in pod("manifest", "create", "mine", status=125).stderr
    pod("manifest", "create", "app", "nothing:here", status=125)
    assert pod("images", "-q", "app").lines == []
    pod("manifest", "create", "app", "mine")
    assert "is an image, not a list" in pod("manifest", "add", "mine", "other", status=125).stderr
    pod("manifest", "exists", "mine", status=1)
    pod("manifest", "rm", "--ignore", "nothing")
    assert "not here" in pod("manifest", "rm", "nothing", status=125).stderr
    pod("tag", "mine", "app")
    listed = pod("images", "--filter", "manifest=true", "--format", "{{.Repository}}").lines
    assert listed == ["<none>"]
    number = pod("images", "-q", "--filter", "manifest=true").out
    pod("tag", number, "again")
    assert len(entries(pod, "again")) == 1
    pod("untag", "again")
    pod("image", "prune", "-f")
    assert pod("images", "-q", "--filter", "manifest=true").lines == []


@pytest.mark.not_podman("4.3 loses the layers of an image with its last name")
def test_what_a_list_has_stays_with_it(pod: Engine) -> None:
    """The image's own name is gone, and the list still runs it, and goes with its containers only by force."""
    pod("tag", "busybox", "base")
    pod("manifest", "create", "app", "base")
    pod("untag", "base")
    number = pod("image", "inspect", "--format", "{{.Id}}", "app").out
    pod("rmi", number)
    assert pod("images", "--format", "{{.Repository}}").lines == ["localhost/app"]
    assert pod("run", "--network", "none", "--name", "one", "app", "echo", "in").out == "in"
    assert (
        pod("inspect", "--format", "{{.ImageName}} {{.Image}}", "one").out
        == f"localhost/app:latest {number}"
    )
    assert "is used by container one" in pod("rmi", "app", status=2).stderr
    pod("manifest", "rm", "app", status=2)
    pod("rmi", "-f", "app")
    assert pod.containers() == []
    assert pod("images", "-q").lines == []


def test_added_from_a_registry(pod: Engine, registry: Registry, tmp_path: Path) -> None:
    name, digest, (theirs, ours) = put_several(registry, Layout(str(tmp_path)), "me/from")
    pod("manifest", "create", "one")
    pod("manifest", "add", INSECURE, "one", f"docker://{name}")
    assert [it["digest"] for it in entries(pod, "one")] == [ours]
    pod("manifest", "create", "both")
    pod("manifest", "add", "--all", INSECURE, "both", f"docker://{name}@{digest}")
    assert [(it["digest"], it["platform"]) for it in entries(pod, "both")] == [
        (theirs, ARM),
        (ours, {"architecture": "amd64", "os": "linux"}),
    ]
    pod("manifest", "create", "single")
    pod("manifest", "add", INSECURE, "--os-version", "1", "single", f"docker://{name}@{theirs}")
    assert entries(pod, "single")[0]["platform"] == {**ARM, "os.version": "1"}
    pod("manifest", "add", INSECURE, "single", f"docker://{registry.host}/me/nothing", status=125)
    assert len(entries(pod, "single")) == 1


@pytest.mark.not_podman("4.3 takes --arch for the entry alone")
def test_platform_of_what_is_added(pod: Engine, registry: Registry, tmp_path: Path) -> None:
    name, _, (theirs, _) = put_several(registry, Layout(str(tmp_path)), "me/platform")
    pod("manifest", "create", INSECURE, "app")
    pod("manifest", "add", INSECURE, "--arch", "arm64", "app", name)
    assert [it["digest"] for it in entries(pod, "app")] == [theirs]
    assert "has no image for linux/s390x" in pod("manifest", "add", INSECURE, "--arch", "s390x", "app", name,
                                                 status=125).stderr  # fmt: skip
    refused = pod("run", "--rm", "--network", "none", "app", "true", status=125).stderr
    assert "has no image for linux/amd64; it has linux/arm64/v8" in refused
    assert (
        f"pod pull docker://{name}@{theirs}"
        in pod("run", "--platform", "linux/arm64", "app", status=125).stderr
    )


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


@pytest.mark.not_podman("pulls one platform at a time")
def test_pulled_whole_though_it_is_one(pod: Engine, registry: Registry) -> None:
    name = registry.have("busybox")
    number = pod("pull", "-q", "--all-platforms", INSECURE, name).out
    assert pod("inspect", "--format", "{{.Id}}", name).out == number
    assert (
        "excludes --arch"
        in pod("pull", "--all-platforms", "--arch", "arm64", name, status=125).stderr
    )
    pod("pull", "-q", "--all-platforms", "oci:/nowhere", status=125)


def test_all_tags(pod: Engine, registry: Registry) -> None:
    busybox = images.image("busybox")
    for tag in ("1", "2", "three"):
        registry.push(busybox, "me/tags", tag)
    name = f"{registry.host}/me/tags"
    pod("pull", "-q", "-a", INSECURE, name)
    assert set(pod("images", "--format", "{{.Tag}}", name).lines) >= {"1", "2", "three"}
    pod("pull", "-q", "-a", INSECURE, f"{name}:1", status=125)
    pod("pull", "-q", "-a", INSECURE, f"{registry.host}/me/none", status=125)


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
    pod("manifest", "create", "app")
    pod("manifest", "add", "app", local(pod, "mine"))
    digest = entries(pod, "app")[0]["digest"]
    pod("manifest", "push", "--all", "app", f"dir:{tmp_path}/there")
    names = set(os.listdir(tmp_path / "there"))
    assert {"version", "manifest.json", f"{digest[7:]}.manifest.json"} <= names
    document = json.loads((tmp_path / "there" / "manifest.json").read_text())
    assert [it["digest"] for it in document["manifests"]] == [digest]


def test_inspects_what_is_elsewhere(pod: Engine, registry: Registry, tmp_path: Path) -> None:
    name, _, (theirs, ours) = put_several(registry, Layout(str(tmp_path)), "me/elsewhere")
    options = [INSECURE] if pod.kind == "pod" else []
    prefix = "docker://" if pod.kind == "pod" else ""
    document = pod("manifest", "inspect", *options, f"{prefix}{name}").json()
    assert [it["digest"] for it in document["manifests"]] == [theirs, ours]
    pod("manifest", "inspect", *options, f"{prefix}{registry.host}/me/nothing", status=125)


@pytest.mark.not_podman("asks the registry for images that are here")
def test_inspects_images(pod: Engine) -> None:
    assert pod("manifest", "inspect", "busybox").json()["layers"]
    assert "docker-archive" in pod("manifest", "inspect", "docker-archive:x", status=125).stderr


@pytest.mark.not_podman("has no such words")
def test_lists_are_no_images_to_others(pod: Engine, tmp_path: Path) -> None:
    """Commands about one image get the one for this machine, or say why not."""
    import_two(pod, tmp_path)
    pod("manifest", "create", "app", "other")
    for words in (
        ["history", "app"],
        ["save", "-o", str(tmp_path / "x"), "app"],
        ["run", "app"],
    ):
        assert "has no image for linux/amd64" in pod(*words, status=125).stderr
    assert pod("inspect", "--format", "{{len .Manifests}}", "app").out == "1"
    assert pod("image", "exists", "app").status == 0
    pod("manifest", "add", "app", "mine")
    assert pod("history", "-q", "app").lines == pod("history", "-q", "mine").lines
    pod("system", "check")


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
def test_name_of_a_whole_list_stays_with_it(
    pod: Engine, registry: Registry, tmp_path: Path
) -> None:
    """Whatever pulls one image of it, as long as the registry has the same list."""
    name, digest, _ = put_several(registry, Layout(str(tmp_path)), "me/stays")
    number = pod("pull", "-q", "--all-platforms", INSECURE, name).out
    for policy in ("newer", "always", "missing", "never"):
        run = [
            "run",
            "--rm",
            "-q",
            "--network",
            "none",
            "--pull",
            policy,
            INSECURE,
            name,
            "echo",
            policy,
        ]
        assert pod(*run).out == policy
    pod("pull", "-q", INSECURE, name)
    assert pod("images", "-q", "--no-trunc", name).out == f"sha256:{number}"
    assert pod("inspect", "--format", "{{.RepoDigests}}", name).out.startswith(f"[{name}@{digest} ")
    assert [it for it in pod("system", "df", "-v").lines if it.startswith(name)]


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
