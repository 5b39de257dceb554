"""`pod manifest` and lists of images: made, changed, pulled whole, pushed, run, removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import images
from tests.support.engine import Engine
from tests.support.layout import Layout
from tests.support.lists import INSECURE, entries, import_two, local, put_several
from tests.support.registry import Registry

ARM = {"architecture": "arm64", "os": "linux", "variant": "v8"}


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
    pod("manifest", "create", "noted")
    pod("manifest", "add", "noted", local(pod, "mine"))
    digest = entries(pod, "noted")[0]["digest"]
    pod("manifest", "annotate", "--arch", "arm64", "--variant", "v8", "--os-version", "7", "--os-features", "x,y",
        "--annotation", "a=b", "--annotation", "c=", "noted", digest)  # fmt: skip
    (entry,) = entries(pod, "noted")
    features = {"os.features": ["x", "y"]} if pod.kind == "pod" else {}  # podman 4.3 loses them
    assert entry["platform"] == {**ARM, "os.version": "7", **features}
    assert entry["annotations"] == {"a": "b", "c": ""}
    if pod.kind == "pod":  # podman 4.3 takes a change of nothing for done
        pod("manifest", "annotate", "noted", "sha256:" + "0" * 64, status=125)
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
    others = set(pod("images", "--format", "{{.Repository}}").lines) - {"docker.io/library/busybox"}
    pod("tag", "busybox", "base")
    pod("manifest", "create", "app", "base")
    pod("untag", "base")
    number = pod("image", "inspect", "--format", "{{.Id}}", "app").out
    pod("rmi", number)
    left = set(pod("images", "--format", "{{.Repository}}").lines)
    assert left - others == {"localhost/app"}
    assert pod("run", "--network", "none", "--name", "one", "app", "echo", "in").out == "in"
    assert (
        pod("inspect", "--format", "{{.ImageName}} {{.Image}}", "one").out
        == f"localhost/app:latest {number}"
    )
    assert "is used by container one" in pod("rmi", "app", status=2).stderr
    pod("manifest", "rm", "app", status=2)
    pod("rmi", "-f", "app")
    assert pod.containers() == []
    assert set(pod("images", "--format", "{{.Repository}}").lines) == others


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
    if pod.kind == "pod":  # podman leaves out the tag
        pod("pull", "-q", "-a", INSECURE, f"{name}:1", status=125)
    pod("pull", "-q", "-a", INSECURE, f"{registry.host}/me/none", status=125)


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
