"""Other programs at the same images: skopeo at pod's store and archives, podman, and what docker saves."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support import images
from tests.support.checks import nothing_wrong
from tests.support.chunked import add_chunked
from tests.support.engine import Engine, engine_in
from tests.support.fixtures import end_pause_process
from tests.support.layout import Entry, Image, Layout, layer_tar, to_json
from tests.support.registry import Registry
from tests.support.waiting import until

OURS = pytest.mark.not_podman("its store is no OCI image layout")
BUSYBOX = "docker.io/library/busybox:latest"
INSECURE = "--tls-verify=false"


def skopeo(*words: str) -> Any:
    done = subprocess.run(["skopeo", *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    return json.loads(done.stdout) if words[0] == "inspect" else None


def about(engine: Engine, name: str) -> tuple[str, list[str]]:
    """Id and diff ids."""
    (found,) = engine("image", "inspect", name).json()
    return found["Id"].removeprefix("sha256:"), found["RootFS"]["Layers"]


@pytest.fixture
def other(
    workspace: str, runtime_directory: str, registry: Registry, is_podman: bool
) -> Generator[Engine]:
    """podman, or pod when podman is tested, with a store of its own."""
    engine = engine_in(
        workspace, runtime_directory, "o", registry, None if is_podman else ["podman"]
    )
    yield engine
    engine("rm", "-a", "-f", "-t", "0", status=None)
    engine("rmi", "-a", "-f", status=None)
    end_pause_process(engine)
    engine("system", "reset", "-f", status=None)


# skopeo and the store


@OURS
def test_skopeo_reads_the_store(pod: Engine, tmp_path: Path) -> None:
    store = f"oci:{pod.root}/images:{BUSYBOX}"
    found = skopeo("inspect", store)
    assert found["Layers"] == [
        item["digest"] for item in images.image("busybox").manifest()["layers"]
    ]
    raw = subprocess.run(["skopeo", "inspect", "--raw", store], capture_output=True, check=True)
    assert json.loads(raw.stdout) == images.image("busybox").manifest()
    skopeo("copy", "--preserve-digests", store, f"oci:{tmp_path}/copy:there")
    assert Layout(f"{tmp_path}/copy").image("there").digest == images.image("busybox").digest


@OURS
def test_skopeo_writes_into_the_store(pod: Engine, tmp_path: Path) -> None:
    """The image is there, with those that were; its layers are unpacked when it is first used."""
    layout = Layout(str(tmp_path / "there"))
    extra = layout.add_layer(layer_tar([Entry("hello", b"from skopeo")]))
    base = images.image("busybox").copy(layout)
    made = layout.add_image([*base.layers(), extra], {"Cmd": ["cat", "/hello"]})
    skopeo("copy", f"oci:{layout.path}:latest", f"oci:{pod.root}/images:localhost/copied:1")
    names = pod("images", "--format", "{{.Repository}}:{{.Tag}}").lines
    assert {BUSYBOX, "localhost/copied:1"} <= set(names)
    assert about(pod, "localhost/copied:1")[0] == made.id
    assert pod("run", "--rm", "--network", "none", "localhost/copied:1").out == "from skopeo"
    nothing_wrong(pod)
    skopeo("copy", f"oci:{layout.path}:latest", f"oci:{pod.root}/images:localhost/copied:2")
    pod("rmi", "localhost/copied:1")
    assert pod("run", "--rm", "--network", "none", "localhost/copied:2").out == "from skopeo"
    pod("rmi", "localhost/copied:2")
    nothing_wrong(pod)


@OURS
def test_check_tells_of_layers_that_skopeo_brought_and_repairs_that(
    pod: Engine, tmp_path: Path
) -> None:
    layout = Layout(str(tmp_path / "there"))
    layout.add_image([layout.add_layer(layer_tar([Entry("hello", b"x")]))])
    skopeo("copy", f"oci:{layout.path}:latest", f"oci:{pod.root}/images:localhost/copied:1")
    assert "localhost/copied:1" in pod("system", "check", status=None).stdout
    pod("system", "check", "--repair", "--force")
    nothing_wrong(pod)
    assert pod("image", "inspect", "--format", "{{.Id}}", "localhost/copied:1").out


@OURS
def test_what_skopeo_brought_that_is_no_image_is_not_collected(
    fresh_pod: Engine, registry: Registry, tmp_path: Path
) -> None:
    """An artifact, in an index where pod does not expect any."""
    pod, name, store = (
        fresh_pod,
        f"{registry.host}/art/foreign:1",
        f"oci:{fresh_pod.root}/images:foreign",
    )
    (tmp_path / "file").write_text("of an artifact")
    pod("artifact", "add", name, str(tmp_path / "file"))
    pod("artifact", "push", "-q", "--tls-verify=false", name)
    pod("artifact", "rm", name)
    skopeo("copy", "--src-tls-verify=false", f"docker://{name}", store)
    pod("image", "prune", "-f", "-a")
    pod("system", "prune", "-f", "-a")
    skopeo("copy", store, f"oci:{tmp_path}/copy:there")
    copied = Layout(f"{tmp_path}/copy").image("there")
    (file,) = copied.manifest()["layers"]
    assert copied.layout.blob(file["digest"]) == b"of an artifact"


# Archives: pod with skopeo, podman and docker. What is saved and loaded again is in test_load_save.py.


@pytest.mark.parametrize("form", ["oci-archive", "docker-archive"])
def test_skopeo_copies_our_archives(pod: Engine, tmp_path: Path, form: str) -> None:
    """Read by skopeo, written again by skopeo, loaded by pod."""
    pod("tag", "busybox", "localhost/mine:1")
    path, back = tmp_path / "mine.tar", tmp_path / "back.tar"
    pod("save", "-q", "--format", form, "-o", str(path), "localhost/mine:1")
    assert skopeo("inspect", f"{form}:{path}")["Architecture"]
    skopeo("copy", f"{form}:{path}", f"{form}:{back}:localhost/back:2")
    pod("load", "-q", "-i", str(back))
    (found,) = [name for name in names_of(pod) if "back" in name]
    assert about(pod, found) == about(pod, "busybox")


FORMATS = {
    "docker-archive": "docker-archive",
    "oci-archive": "oci-archive",
    "oci-dir": "oci",
    "docker-dir": "dir",
}


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_goes_both_ways(pod: Engine, other: Engine, tmp_path: Path, form: str) -> None:
    there, back = str(tmp_path / "there"), str(tmp_path / "back")
    pod("save", "-q", "--format", form, "-o", there, "busybox")
    (theirs,) = other("pull", "-q", f"{FORMATS[form]}:{there}").lines
    same = about(other, theirs), about(pod, "busybox")
    # podman writes the configuration anew for the formats of OCI.
    assert same[0][1] == same[1][1] and (same[0] == same[1] or pod.kind == "podman")
    other("save", "-q", "--format", form, "-o", back, theirs)
    (ours,) = pod("pull", "-q", f"{FORMATS[form]}:{back}").lines
    assert about(pod, ours)[1] == same[1][1]
    nothing_wrong(
        pod, max_age="1h"
    )  # another manifest of an image that has one is garbage by and by


def names_of(pod: Engine) -> list[str]:
    return pod("images", "--format", "{{.Repository}}:{{.Tag}}").lines


def hybrid_archive(image: Image, path: Path, names: list[str], *, whole: bool) -> str:
    """What `docker save` of version 25 and later writes: an OCI layout and docker's own listing in one archive.

    Layers are plain tar blobs in `blobs/sha256`, whatever compression the registry's had, and there are also the
    configuration, the manifest, and for each layer a configuration as Docker 1.8 wants it. `index.json` names the image
    by annotations of containerd; `manifest.json` and `repositories` point into the blobs. At first, and for layers that
    were not pulled, the manifest named no layers: not `whole`. Source: moby, image/tarexport/save.go.
    """
    blobs: dict[str, bytes] = {}

    def blob(data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = data
        return {"digest": f"sha256:{digest}", "size": len(data)}

    layers = []
    for number in range(len(image.layers())):
        with image.open_layer(number) as stream:
            layers.append(
                {"mediaType": "application/vnd.oci.image.layer.v1.tar", **blob(stream.read())}
            )
    config = blob(image.layout.blob(image.manifest()["config"]["digest"]))
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **config},
        "layers": layers if whole else [],
    }
    blob(to_json({"id": "0" * 64, "created": "1970-01-01T00:00:00Z", "os": "linux"}))
    described = {"mediaType": manifest["mediaType"], **blob(to_json(manifest))}
    entries = [
        {
            **described,
            "annotations": {
                "io.containerd.image.name": f"docker.io/library/{name}",
                "org.opencontainers.image.ref.name": name.rpartition(":")[2],
            },
        }
        for name in names
    ]
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json"}

    def path_of(descriptor: dict[str, Any]) -> str:
        return f"blobs/sha256/{descriptor['digest'].removeprefix('sha256:')}"

    listing: dict[str, Any] = {
        "Config": path_of(config),
        "RepoTags": names,
        "Layers": [path_of(layer) for layer in layers],
    }
    if whole:
        listing["LayerSources"] = {layer["digest"]: layer for layer in layers}
    last = layers[-1]["digest"].removeprefix("sha256:")
    repositories: dict[str, dict[str, str]] = {}
    for name in names:
        repository, _, tag = name.rpartition(":")
        repositories.setdefault(repository, {})[tag] = last
    documents = {
        "index.json": to_json({**index, "manifests": entries}),
        "manifest.json": to_json([listing]),
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "repositories": to_json(repositories),
    }
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for directory in ("blobs/", "blobs/sha256/"):
            info = tarfile.TarInfo(directory)
            info.type, info.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(info)
        for name, data in (*sorted(blobs.items()), *documents.items()):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return str(path)


@pytest.mark.parametrize("whole", [True, False])
def test_archive_of_docker_25(pod: Engine, tmp_path: Path, whole: bool) -> None:
    path = hybrid_archive(
        images.image("busybox"), tmp_path / "d.tar", ["app:1", "app:2"], whole=whole
    )
    told = pod("load", "-q", "-i", path).stdout
    prefix = "docker.io/library" if pod.kind == "pod" else "localhost"
    assert {f"{prefix}/app:1", f"{prefix}/app:2"} <= set(names_of(pod)), told
    assert about(pod, f"{prefix}/app:2") == about(pod, "busybox")
    run = ["run", "--rm", "--network", "none", f"docker-archive:{path}:app:1", "echo", "in"]
    assert pod(*run).out == "in"
    nothing_wrong(pod)


# Registries: pod and podman


def test_the_other_engine_runs_what_is_pushed(
    pod: Engine, other: Engine, registry: Registry
) -> None:
    """And the other way round, the same layers both times."""
    there, back = f"{registry.host}/inter/there:1", f"{registry.host}/inter/back:1"
    pod("push", "-q", INSECURE, "busybox", there)
    other("pull", "-q", INSECURE, there)
    assert about(other, there) == about(pod, "busybox")
    run = ["run", "--rm", "--network", "none", "--cgroups=disabled"]
    assert other(*run, there, "echo", "in").out == "in"
    other("tag", there, "localhost/again:1")
    other("push", "-q", INSECURE, "localhost/again:1", back)
    pod("pull", "-q", INSECURE, back)
    assert about(pod, back) == about(pod, "busybox")
    assert pod("run", "--rm", "--network", "none", back, "echo", "in").out == "in"
    nothing_wrong(pod)


@pytest.mark.parametrize("kind", ["zstd:chunked", "estargz"])
def test_layers_with_tables_are_layers_for_everybody(
    pod: Engine, other: Engine, registry: Registry, tmp_path: Path, kind: str
) -> None:
    """skopeo and podman take those that pod's writer makes for what they are besides: zstd and gzip."""
    layout = Layout(str(tmp_path / "made"))
    extra = add_chunked(layout, [Entry("hello", b"from a table\n"), Entry("empty")], kind)
    base = images.image("busybox").copy(layout)
    made = layout.add_image([*base.layers(), extra], {"Cmd": ["cat", "/hello"]})
    name = f"{registry.host}/tables/{kind.replace(':', '')}:1"
    repository = name.removeprefix(f"{registry.host}/").removesuffix(":1")
    registry.push(made, repository, "1")
    for engine in (pod, other):
        engine("pull", "-q", INSECURE, name)
        assert about(engine, name)[1] == made.config()["rootfs"]["diff_ids"]
        run = ["run", "--rm", "--network", "none"]
        assert (
            engine(*run, *(["--cgroups=disabled"] if engine is other else []), name).out
            == "from a table"
        )
    skopeo("copy", "--src-tls-verify=false", f"docker://{name}", f"oci:{tmp_path}/copy:1")
    copied = Layout(f"{tmp_path}/copy").image("1").manifest()["layers"][-1]
    assert (copied["digest"], copied["annotations"]) == (
        extra[0]["digest"],
        extra[0]["annotations"],
    )


@pytest.mark.not_podman("4.3 takes zstd:chunked for zstd")
def test_second_version_of_what_skopeo_made_zstd_chunked(
    pod: Engine, registry: Registry, tmp_path: Path
) -> None:
    """Only the file that differs is fetched; the image is the same as it would be otherwise."""
    digests = []
    for version in "12":
        layout = Layout(str(tmp_path / version))
        entries = [Entry(f"f/{n}", noise(f"{n}{version if n == 7 else ''}")) for n in range(20)]
        data = layer_tar(entries)
        end = len(data.rstrip(b"\0")) // 512 * 512 + 512
        # skopeo 1.9 leaves out what follows the first two blocks of zeros, so that the diff id is wrong.
        extra = layout.add_layer(data[:end] + bytes(1024))
        made = layout.add_image([*images.image("busybox").copy(layout).layers(), extra])
        target = f"docker://{registry.host}/chunked/app:{version}"
        options = ["--dest-tls-verify=false", "--dest-compress-format=zstd:chunked"]
        skopeo("copy", *options, f"oci:{layout.path}:latest", target)
        digests.append(made.config()["rootfs"]["diff_ids"])
    name = f"{registry.host}/chunked/app"
    assert "Fetched" not in pod("pull", INSECURE, f"{name}:1").stderr
    told = pod("pull", INSECURE, f"{name}:2").stderr
    (line,) = [line for line in told.splitlines() if line.startswith("Fetched ")]
    fetched, _, whole, _ = line.split()[1:5]
    assert 20 <= int(fetched) < 30 and int(whole) > 400, line
    assert about(pod, f"{name}:2")[1] == digests[1]
    run = ["run", "--rm", "--network", "none", f"{name}:2", "sh", "-c", "cat /f/7 /f/8 | sha256sum"]
    wanted = hashlib.sha256(noise("72") + noise("8")).hexdigest()
    assert pod(*run).out.split()[0] == wanted
    nothing_wrong(pod)


def noise(name: str, size: int = 20_000) -> bytes:
    """Bytes that no compression makes shorter."""
    return b"".join(hashlib.sha256(f"{name} {n}".encode()).digest() for n in range(size // 32))


@pytest.mark.not_podman("4.3 takes zstd:chunked for zstd")
def test_second_version_of_what_pod_pushed(
    pod: Engine, fresh_pod: Engine, other: Engine, registry: Registry, tmp_path: Path
) -> None:
    """Made, pushed as zstd:chunked, and pulled by another store, file by file; podman takes the same."""
    name = f"{registry.host}/chunked/ours"
    packing = ("--compression-format", "zstd:chunked", "--force-compression")
    for version in "12":
        entries = [Entry(f"f/{n}", noise(f"{n}{version if n == 7 else ''}")) for n in range(20)]
        pod("import", "-q", "-", f"{name}:{version}", stdin=layer_tar(entries))
        pod("push", "-q", INSECURE, *packing, f"{name}:{version}")
    fresh_pod("pull", "-q", INSECURE, f"{name}:1")
    settings = tmp_path / "storage.conf"
    settings.write_text('[storage.options.pull_options]\nenable_partial_images = "false"\n')
    whole = fresh_pod("pull", INSECURE, f"{name}:2", env={"CONTAINERS_STORAGE_CONF": str(settings)})
    assert "Fetched" not in whole.stderr
    fresh_pod("rmi", f"{name}:2")
    told = fresh_pod("pull", INSECURE, f"{name}:2").stderr
    (line,) = [line for line in told.splitlines() if line.startswith("Fetched ")]
    assert 20 <= int(line.split()[1]) < 30, line
    other("pull", "-q", INSECURE, f"{name}:2")
    assert about(fresh_pod, f"{name}:2") == about(other, f"{name}:2") == about(pod, f"{name}:2")
    nothing_wrong(fresh_pod)
    # What was put together is a blob like any other: it goes on to the next place with its digest.
    digest = fresh_pod("image", "inspect", "--format", "{{.Digest}}", f"{name}:2").out
    fresh_pod("push", "-q", INSECURE, f"{name}:2", f"{registry.host}/chunked/next:1")
    accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
    answer = registry.request("GET", "/v2/chunked/next/manifests/1", headers=accept)
    assert answer.headers["Docker-Content-Digest"] == digest


@pytest.mark.not_podman("the other one must be podman")
def test_podman_reads_the_tables_that_pod_writes(
    other: Engine, registry: Registry, tmp_path: Path
) -> None:
    """It has a reader of its own, which takes files of the first version for the second."""
    for version in "12":
        layout = Layout(str(tmp_path / version))
        # Files that no other image has, from which podman could take them; and their directory, which those of its
        # threads that copy files do not wait for otherwise: then it sometimes takes the layer whole.
        entries = [Entry("f", kind="directory")]
        entries += [
            Entry(f"f/{n}", noise(f"podman {n}{version if n == 7 else ''}")) for n in range(20)
        ]
        extra, diff_id = add_chunked(layout, entries, "zstd:chunked")
        # Version 4.3 knows the annotations by their first names.
        found = extra["annotations"].items()
        extra["annotations"] |= {key.replace("io.github.", "io."): value for key, value in found}
        made = layout.add_image(
            [*images.image("busybox").copy(layout).layers(), (extra, diff_id)],
            {"Cmd": ["sh", "-c", "cat /f/7 /f/8 | sha256sum"]},
        )
        registry.push(made, "chunked/for-podman", version)
    settings = tmp_path / "storage.conf"
    # What is taken from this file is where podman keeps nothing: --root and --runroot win.
    settings.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{tmp_path}/g"\nrunroot = "{tmp_path}/r"\n'
        '[storage.options]\npull_options = {enable_partial_images = "true"}\n'
    )
    partly = {"CONTAINERS_STORAGE_CONF": str(settings)}
    name = f"{registry.host}/chunked/for-podman"
    for version in "12":
        other("pull", "-q", INSECURE, f"{name}:{version}", env=partly)
    run = ["run", "--rm", "--network", "none", "--cgroups=disabled", f"{name}:2"]
    wanted = hashlib.sha256(noise("podman 72") + noise("podman 8")).hexdigest()
    assert other(*run, env=partly).out.split()[0] == wanted
    path = f"/v2/chunked/for-podman/blobs/{extra['digest']} "

    def sent() -> list[int]:
        with open(registry.log, errors="replace") as file:
            return [int(line.split('" 206 ')[1].split()[0]) for line in file
                    if f"GET {path}" in line and '" 206 ' in line]  # fmt: skip

    until(lambda: len(sent()) >= 2, "the TOC and the file in the access log")
    assert 20_000 < sum(sent()) < 30_000
