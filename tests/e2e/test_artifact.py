"""`pod artifact`: files that are kept in registries, and what hostile ones may not do."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Engine
from tests.support.layout import OCI_INDEX, OCI_MANIFEST
from tests.support.registry import Registry

pytestmark = pytest.mark.not_podman("came with podman 5.4")
INSECURE = "--tls-verify=false"
TITLE = "org.opencontainers.image.title"


@pytest.fixture
def two(tmp_path: Path) -> tuple[str, str]:
    """Two files."""
    (tmp_path / "in").mkdir()
    first, second = tmp_path / "in" / "one.txt", tmp_path / "in" / "two.bin"
    first.write_text("one\n")
    second.write_bytes(bytes(range(256)) * 5000)
    return str(first), str(second)


@pytest.fixture(autouse=True)
def no_artifacts(pod: Engine) -> Any:
    yield
    pod("artifact", "rm", "-a")
    assert pod("artifact", "ls", "-n").out == ""


def layers(pod: Engine, name: str) -> list[dict[str, Any]]:
    return list(pod("artifact", "inspect", name).json()["Manifest"]["layers"])


def put_hostile(registry: Registry, repository: str, *titles: str) -> str:
    """An artifact with files of these names in the registry; its name."""
    found = []
    for number, title in enumerate(titles):
        data = f"file {number}".encode()
        found.append({**push(registry, repository, data), "annotations": {TITLE: title}})
    config = push(registry, repository, b"{}")
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "artifactType": "application/x-test",
        "config": {**config, "mediaType": "application/vnd.oci.empty.v1+json"},
        "layers": found,
    }
    registry.push_manifest(repository, "latest", json.dumps(document).encode(), OCI_MANIFEST)
    return f"{registry.host}/{repository}"


def push(registry: Registry, repository: str, data: bytes) -> dict[str, Any]:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    path = f"/var/tmp/pod-test-blob-{os.getpid()}"
    with open(path, "wb") as file:
        file.write(data)
    try:
        registry.push_blob(repository, digest, path)
    finally:
        os.unlink(path)
    return {"mediaType": "text/plain", "digest": digest, "size": len(data)}


def test_there_and_back(
    pod: Engine, registry: Registry, two: tuple[str, str], tmp_path: Path
) -> None:
    """Made, pushed, removed, pulled and extracted, files and digest are the same."""
    name = f"{registry.host}/me/files:1"
    number = pod(
        "artifact", "add", "--type", "application/x-test", "--annotation", "a=b", name, *two
    ).out
    document = pod("artifact", "inspect", name).json()
    assert (document["Name"], document["Digest"]) == (name, f"sha256:{number}")
    assert document["Manifest"]["artifactType"] == "application/x-test"
    assert [(it["mediaType"], it["annotations"]) for it in document["Manifest"]["layers"]] == [
        ("text/plain; charset=utf-8", {TITLE: "one.txt", "a": "b"}),
        ("application/octet-stream", {TITLE: "two.bin", "a": "b"}),
    ]
    file = tmp_path / "digest"
    pod("artifact", "push", "-q", INSECURE, "--digestfile", str(file), name)
    assert file.read_text() == f"sha256:{number}"
    assert pod("artifact", "rm", name).out == number
    assert os.listdir(f"{pod.root}/images/blobs/sha256").count(number) == 0
    assert pod("artifact", "pull", "-q", INSECURE, name).out == number
    out = tmp_path / "out"
    out.mkdir()
    pod("artifact", "extract", name, str(out))
    for path in two:
        assert (out / os.path.basename(path)).read_bytes() == Path(path).read_bytes()
    assert len(os.listdir(out)) == 2


def test_list(pod: Engine, two: tuple[str, str]) -> None:
    number = pod("artifact", "add", "docs", two[0]).out
    pod("artifact", "add", "registry.example.com/x/y:2", *two)
    form = "{{.Repository}}:{{.Tag}} {{.Digest}} {{.Size}}"
    assert (
        pod("artifact", "ls", "--format", form).lines[0]
        == f"localhost/docs:latest {number[:12]} 4 B"
    )
    assert pod("artifact", "ls").lines[0].split() == [
        "REPOSITORY",
        "TAG",
        "DIGEST",
        "CREATED",
        "SIZE",
    ]
    assert f"sha256:{number}" in pod("artifact", "ls", "--no-trunc", "--noheading").stdout
    assert pod("artifact", "rm", number[:12]).out == number
    assert len(pod("artifact", "ls", "-n").lines) == 1
    pod("artifact", "rm", "--ignore", "docs")
    assert "artifact 'docs' is not here" in pod("artifact", "rm", "docs", status=125).stderr
    pod("artifact", "rm", status=125)
    pod("artifact", "rm", "-a", "docs", status=125)


def test_files_come_later(pod: Engine, two: tuple[str, str]) -> None:
    first, second = two
    pod("artifact", "add", "docs", first)
    assert "there is an artifact" in pod("artifact", "add", "docs", second, status=125).stderr
    pod("artifact", "add", "--append", "--file-type", "application/x-two", "docs", second)
    assert [it["mediaType"] for it in layers(pod, "docs")] == [
        "text/plain; charset=utf-8",
        "application/x-two",
    ]
    assert (
        "two files with the name 'one.txt'"
        in pod("artifact", "add", "--append", "docs", first, status=125).stderr
    )
    pod("artifact", "add", "--append", "nothing", first, status=125)
    pod("artifact", "add", "--append", "--type", "x", "docs", first, status=125)
    pod("artifact", "add", "--append", "--replace", "docs", first, status=125)
    pod("artifact", "add", "--replace", "docs", second)
    assert [it["annotations"][TITLE] for it in layers(pod, "docs")] == ["two.bin"]
    assert "cannot be put into" in pod("artifact", "add", "other", "/nowhere", status=125).stderr
    assert "it is a directory" in pod("artifact", "add", "other", "/usr", status=125).stderr


def test_one_file(pod: Engine, two: tuple[str, str], tmp_path: Path) -> None:
    _first, second = two
    pod("artifact", "add", "docs", *two)
    target = tmp_path / "target"
    assert "has 2 files" in pod("artifact", "extract", "docs", str(target), status=125).stderr
    pod("artifact", "extract", "--title", "one.txt", "docs", str(target))
    assert target.read_text() == "one\n"
    digest = layers(pod, "docs")[1]["digest"]
    pod("artifact", "extract", "--digest", digest, "docs", str(target))
    assert target.read_bytes() == Path(second).read_bytes()
    pod("artifact", "extract", "--digest", digest[7:], "docs", str(tmp_path))
    assert (tmp_path / "two.bin").exists()
    pod("artifact", "extract", "--title", "three", "docs", str(target), status=125)
    pod("artifact", "extract", "--digest", "x", "docs", str(target), status=125)
    pod(
        "artifact",
        "extract",
        "--digest",
        digest,
        "--title",
        "one.txt",
        "docs",
        str(target),
        status=125,
    )


@pytest.mark.parametrize(
    "title", ["../out.txt", "/etc/out.txt", "..", ".", "a/b", "a\x00b", "x" * 256]
)
def test_hostile_names_write_nothing(
    pod: Engine, registry: Registry, tmp_path: Path, title: str
) -> None:
    name = put_hostile(registry, f"evil/a{hashlib.sha256(title.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}",
                       "harmless", title)  # fmt: skip
    pod("artifact", "pull", "-q", INSECURE, name)
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    refused = pod("artifact", "extract", name, str(inner), status=125).stderr
    assert "no name of a file in a directory" in refused
    assert list(tmp_path.rglob("*")) == [tmp_path / "outer", inner]
    digest = layers(pod, name)[1]["digest"]
    pod("artifact", "extract", "--digest", digest, name, str(inner / "mine"))
    assert (inner / "mine").read_text() == "file 1"


def test_links_are_not_followed(pod: Engine, registry: Registry, tmp_path: Path) -> None:
    name = put_hostile(registry, "evil/link", "link")
    pod("artifact", "pull", "-q", INSECURE, name)
    outside, inner = tmp_path / "outside", tmp_path / "inner"
    outside.write_text("precious")
    inner.mkdir()
    (inner / "link").symlink_to(outside)
    pod("artifact", "extract", name, str(inner))
    assert outside.read_text() == "precious"
    assert (inner / "link").read_text() == "file 0"
    assert not (inner / "link").is_symlink()


def test_images_are_no_artifacts(pod: Engine, registry: Registry) -> None:
    name = registry.have("busybox")
    assert (
        "is an image, not an artifact"
        in pod("artifact", "pull", "-q", INSECURE, name, status=125).stderr
    )
    artifact = put_hostile(registry, "me/no-image", "x")
    assert "describes no container image" in pod("pull", INSECURE, artifact, status=125).stderr
    pod("artifact", "pull", "oci:/nowhere", status=125)


def test_garbage_collection_leaves_them(pod: Engine, two: tuple[str, str], tmp_path: Path) -> None:
    pod("artifact", "add", "docs", *two)
    pod("image", "prune", "-f")
    pod("system", "prune", "-f")
    pod("artifact", "extract", "--title", "two.bin", "docs", str(tmp_path / "x"))
    pod("system", "check")


def test_artifacts_in_a_list(
    pod: Engine, registry: Registry, two: tuple[str, str], tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"a": 1}')
    pod("manifest", "create", "app", "busybox")
    pod("manifest", "add", "--artifact", "--artifact-type", "application/x-bill", "--artifact-config", str(config),
        "--artifact-config-type", "application/json", "--artifact-layer-type", "text/x-any", "--artifact-subject",
        "busybox", "--annotation", "a=b", "app", *two)  # fmt: skip
    pod("manifest", "add", "--artifact", "--artifact-exclude-titles", "app", two[0])
    image, first, second = pod("manifest", "inspect", "app").json()["manifests"]
    assert (first["artifactType"], first["annotations"]) == ("application/x-bill", {"a": "b"})
    name = f"{registry.host}/me/with-artifacts:1"
    pod("manifest", "push", "-q", INSECURE, "app", name)
    answer = registry.request("GET", f"/v2/me/with-artifacts/manifests/{first['digest']}",
                              headers={"Accept": OCI_MANIFEST})  # fmt: skip
    manifest = json.loads(answer.body)
    assert manifest["subject"]["digest"] == image["digest"]
    assert manifest["config"]["mediaType"] == "application/json"
    assert [(it["mediaType"], it["annotations"][TITLE]) for it in manifest["layers"]] == [
        ("text/x-any", "one.txt"),
        ("text/x-any", "two.bin"),
    ]
    pod("artifact", "pull", "-q", INSECURE, f"{registry.host}/me/with-artifacts@{second['digest']}")
    assert "annotations" not in layers(pod, second["digest"])[0]
    pod("manifest", "rm", "app")
    pod("pull", "-q", "--all-platforms", INSECURE, name)
    assert pod("run", "--rm", "--network", "none", name, "echo", "in").out == "in"
    top = registry.request(
        "GET", "/v2/me/with-artifacts/manifests/1", headers={"Accept": OCI_INDEX}
    )
    assert (
        pod("images", "--digests", "--format", "{{.Digest}}", name).out
        == top.headers["Docker-Content-Digest"]
    )
    pod("manifest", "create", "other")
    pod("manifest", "add", "--artifact-type", "x", "other", "busybox", status=125)
    pod("manifest", "add", "--artifact", "--all", "other", two[0], status=125)
