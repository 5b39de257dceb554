"""Loading, saving and importing with a real store; archives from our own builder, from strangers and from foes."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

from pod.base.errors import PodError
from pod.image import archives
from pod.image.document import InvalidImage
from pod.image.manifest import NoSuchPlatform
from pod.image.parts import BadArchive
from pod.image.platform import parse_platform
from pod.image.policy import PolicyRejects, parse_policy
from pod.image.progress import Silence
from pod.spec import transport
from pod.spec.digest import hex_of
from storage.blobs import DigestMismatch
from storage.layers import DiffIdMismatch, InvalidLayer, LayerError
from storage.store import Store
from tests.integration.image.archive_files import a_layer, an_image, load
from tests.integration.image.faulty import digest_of
from tests.support.layout import Image, Layout

Members = list[tuple[str, bytes | None]]


def tar_file(path: Any, members: Members, **links: str) -> str:
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            if data is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return str(path)


def docker_members(*layers: bytes, tags: Any = ("busybox:1",), **listing: Any) -> Members:
    config = json.dumps(
        {
            "os": "linux",
            "architecture": "amd64",
            "rootfs": {"type": "layers", "diff_ids": [digest_of(x) for x in layers]},
        }
    ).encode()
    name = f"{hex_of(digest_of(config))}.json"
    entry = {
        "Config": name,
        "RepoTags": None if tags is None else list(tags),
        "Layers": [f"{number}.tar" for number in range(len(layers))],
        **listing,
    }
    named: Members = [(f"{number}.tar", layer) for number, layer in enumerate(layers)]
    return [*named, (name, config), ("manifest.json", json.dumps([entry]).encode())]


def content_of(store: Store, image: archives.LoadedImage, name: str = "file") -> bytes:
    record = store.images.lookup(image.digest)
    with open(f"{store.layers.path(record.diff_ids[-1])}/{name}", "rb") as file:
        return file.read()


# Loading what is right


def test_docker_archive(store: Store, tmp_path: Any) -> None:
    image = an_image(tmp_path / "layout", a_layer("a"), a_layer("b"))
    path = image.docker_archive(str(tmp_path / "x.tar"), ["busybox:1", "quay.io/me/x:2"])
    (loaded,) = load(store, path)
    assert loaded.id == f"sha256:{image.id}"
    assert loaded.names == ("docker.io/library/busybox:1", "quay.io/me/x:2")
    record = store.images.lookup("quay.io/me/x:2")
    assert [layer.digest for layer in record.layers] == list(record.diff_ids)
    assert {layer.media_type for layer in record.layers} == {
        "application/vnd.oci.image.layer.v1.tar"
    }
    assert content_of(store, loaded, "b") == b"content" * 10_000


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, bz2.compress, lzma.compress, zstandard.ZstdCompressor().compress],
    ids=["gzip", "bzip2", "xz", "zstd"],
)
def test_compressed_archive(store: Store, tmp_path: Any, pack: Callable[[bytes], bytes]) -> None:
    path = an_image(tmp_path / "layout").docker_archive(str(tmp_path / "x.tar"), ["a:1"])
    packed = tmp_path / "packed"
    packed.write_bytes(pack((tmp_path / "x.tar").read_bytes()))
    (loaded,) = load(store, str(packed))
    assert loaded.names == ("docker.io/library/a:1",)
    assert os.path.exists(path)


@pytest.mark.parametrize("packed", [False, True])
def test_archive_from_a_pipe(store: Store, tmp_path: Any, packed: bool) -> None:
    path = an_image(tmp_path / "layout").docker_archive(str(tmp_path / "x.tar"), ["a:1"])
    with open(path, "rb") as file:
        data = gzip.compress(file.read()) if packed else file.read()
    read_fd, write_fd = os.pipe()

    # Before the fork of the load there must be one thread, so the feeder is a process.
    child = os.fork()
    if child == 0:
        os.close(read_fd)
        with open(write_fd, "wb") as sink:
            sink.write(data)
        os._exit(0)
    os.close(write_fd)
    (loaded,) = load(store, read_fd)
    os.close(read_fd)
    os.waitpid(child, 0)
    assert loaded.names == ("docker.io/library/a:1",)


def test_standard_input_that_is_a_file_is_read_in_place(store: Store, tmp_path: Any) -> None:
    path = an_image(tmp_path / "layout").docker_archive(str(tmp_path / "x.tar"), ["a:1"])
    with open(path, "rb") as file:
        assert load(store, file.fileno())[0].names == ("docker.io/library/a:1",)


def test_several_images_in_one_archive(store: Store, tmp_path: Any) -> None:
    one, two = (
        docker_members(a_layer("a"), tags=["a:1"]),
        docker_members(a_layer("b"), tags=["b:1"]),
    )
    listing = json.loads(one[-1][1] or b"") + json.loads(two[-1][1] or b"")
    listing[1]["Layers"] = ["second.tar"]
    members = [
        *one[:-1],
        ("second.tar", two[0][1]),
        two[1],
        ("manifest.json", json.dumps(listing).encode()),
    ]
    path = tar_file(tmp_path / "x.tar", members)
    assert [image.names[0] for image in load(store, path)] == [
        "docker.io/library/a:1",
        "docker.io/library/b:1",
    ]
    assert [image.names for image in load(store, path, wanted="b:1")] == [
        ("docker.io/library/b:1",)
    ]
    assert load(store, path, wanted="@0")[0].names == ("docker.io/library/a:1",)
    for wrong in ("@2", "@x", "c:1"):
        with pytest.raises(BadArchive):
            load(store, path, wanted=wrong)
    for image in store.images.list():
        store.images.remove_manifest(image.digest)
    with pytest.raises(archives.SeveralImages, match="has 2 images; name one of them") as caught:
        archives.load_location(store, transport.Location("docker-archive", path), Silence())
    assert caught.value.hint == f"docker-archive:{path}:docker.io/library/a:1"
    assert not store.images.list()
    chosen = transport.Location("docker-archive", path, "a:1")
    assert archives.load_location(store, chosen, Silence()).names == ("docker.io/library/a:1",)


def test_layers_that_are_links(store: Store, tmp_path: Any) -> None:
    """As Docker wrote them until version 24: ID/layer.tar, and links to it for layers that are the same."""
    layer = a_layer()
    members = docker_members(layer, layer, Layers=["aa/layer.tar", "bb/layer.tar"])
    members[:2] = [("aa", None), ("aa/layer.tar", layer), ("bb", None)]
    path = tar_file(tmp_path / "x.tar", members, **{"bb/layer.tar": "../aa/layer.tar"})
    assert len(store.images.lookup(load(store, path)[0].id).diff_ids) == 2


def test_compressed_layers_in_a_docker_archive(store: Store, tmp_path: Any) -> None:
    layer = a_layer()
    members = docker_members(layer)
    members[0] = ("0.tar", gzip.compress(layer))
    (loaded,) = load(store, tar_file(tmp_path / "x.tar", members))
    (stored,) = store.images.lookup(loaded.id).layers
    assert stored.digest == digest_of(members[0][1] or b"")
    assert stored.media_type.endswith("+gzip")


def test_names_with_dot_slash(store: Store, tmp_path: Any) -> None:
    members: Members = [(f"./{name}", data) for name, data in docker_members(a_layer())]
    assert load(store, tar_file(tmp_path / "x.tar", members))


def test_image_without_name_stays_nameless_and_is_not_doubled(store: Store, tmp_path: Any) -> None:
    path = tar_file(tmp_path / "x.tar", docker_members(a_layer(), tags=None))
    (loaded,) = load(store, path)
    assert loaded.names == ()
    load(store, path)
    assert [image.names for image in store.images.list()] == [()]


def test_archive_of_a_newer_docker_has_both_formats(store: Store, tmp_path: Any) -> None:
    image = an_image(tmp_path / "layout", a_layer())
    config_digest = image.manifest()["config"]["digest"]
    layer = image.manifest()["layers"][0]["digest"]
    listing = [
        {
            "Config": f"blobs/sha256/{hex_of(config_digest)}",
            "RepoTags": ["me/x:1"],
            "Layers": [f"blobs/sha256/{hex_of(layer)}"],
        }
    ]
    members: Members = [("manifest.json", json.dumps(listing).encode())]
    for name in ("oci-layout", "index.json"):
        members.append((name, (tmp_path / "layout" / name).read_bytes()))
    for digest in os.listdir(image.layout.blobs):
        members.append((f"blobs/sha256/{digest}", image.layout.blob(f"sha256:{digest}")))
    (loaded,) = load(store, tar_file(tmp_path / "x.tar", members))
    assert loaded.names == ("docker.io/me/x:1",)
    assert loaded.id == config_digest


@pytest.mark.parametrize("form", ["oci-archive", "oci"])
def test_oci_layouts(store: Store, tmp_path: Any, form: str) -> None:
    image = an_image(tmp_path / "layout", name="quay.io/me/x:1")
    path = (
        str(tmp_path / "layout")
        if form == "oci"
        else image.oci_archive(str(tmp_path / "x.tar"), "quay.io/me/x:1")
    )
    (loaded,) = load(store, path)
    assert loaded.digest == image.digest
    assert loaded.names == ("quay.io/me/x:1",)
    assert load(store, path, wanted="quay.io/me/x:1")
    with pytest.raises(BadArchive, match="has no image 'other'"):
        load(store, path, wanted="other")


def test_layout_with_a_list_of_platforms(store: Store, tmp_path: Any) -> None:
    layout = Layout(str(tmp_path))
    made = [
        layout.add_image([layout.add_layer(a_layer(name))], architecture=name, name=name)
        for name in ("amd64", "arm64")
    ]
    descriptor = layout.add_index(made)
    with open(f"{tmp_path}/index.json", "w") as file:
        json.dump({"schemaVersion": 2, "manifests": [descriptor]}, file)
    (loaded,) = load(store, str(tmp_path), platform=parse_platform("linux/arm64"))
    assert loaded.digest == made[1].digest
    assert store.images.lookup(loaded.id).index_digests == ()
    with pytest.raises(NoSuchPlatform):
        load(store, str(tmp_path), platform=parse_platform("linux/s390x"))


def test_docker_directory(store: Store, tmp_path: Any) -> None:
    image = an_image(tmp_path / "layout")
    directory = tmp_path / "dir"
    directory.mkdir()
    for name in os.listdir(image.layout.blobs):
        shutil.copy(f"{image.layout.blobs}/{name}", directory / name)
    (directory / "manifest.json").write_bytes(image.layout.blob(image.digest))
    (directory / "version").write_text("Directory Transport Version: 1.1\n")
    (loaded,) = load(store, str(directory))
    assert loaded.id == f"sha256:{image.id}"
    assert loaded.names[0].startswith("localhost/")


def test_second_load_changes_nothing(store: Store, tmp_path: Any) -> None:
    path = an_image(tmp_path / "layout").docker_archive(str(tmp_path / "x.tar"), ["a:1"])
    first = load(store, path)
    blobs = sorted(store.blobs.list())
    assert load(store, path) == first
    assert sorted(store.blobs.list()) == blobs


def test_policy_is_asked_with_the_path(store: Store, tmp_path: Any) -> None:
    path = an_image(tmp_path / "layout").docker_archive(str(tmp_path / "x.tar"))
    accept, reject = [{"type": "insecureAcceptAnything"}], [{"type": "reject"}]
    rules = {"default": reject, "transports": {"docker-archive": {"/elsewhere": accept}}}
    with pytest.raises(PolicyRejects):
        load(store, path, policy=parse_policy(rules))
    rules["transports"] = {"docker-archive": {str(tmp_path): accept}}
    assert load(store, path, policy=parse_policy(rules))


# Loading what is wrong


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(lambda m: [], "empty", id="empty"),
        pytest.param(lambda m: m[:-1], "neither 'manifest.json' nor 'index.json'", id="no listing"),
        pytest.param(lambda m: [*m[:-1], ("repositories", b"{}")], "older than 1.10", id="ancient"),
        pytest.param(lambda m: m[1:], "'0.tar' is missing", id="missing layer"),
        pytest.param(lambda m: [m[0], m[2]], ".json' is missing", id="missing configuration"),
        pytest.param(lambda m: [*m[:-1], ("manifest.json", b"[")], "not JSON", id="bad JSON"),
        pytest.param(
            lambda m: [*m[:-1], ("manifest.json", b"[]")], "lists no images", id="no images"
        ),
        pytest.param(
            lambda m: [*m[:-1], ("manifest.json", b"[1]")],
            "'[0]' must be an object",
            id="not an object",
        ),
        pytest.param(
            lambda m: [*m[:-1], ("manifest.json", b'[{"Config":"../../etc/passwd","Layers":[]}]')],
            "'../../etc/passwd', which is outside",
            id="config outside",
        ),
        pytest.param(
            lambda m: [m[0], (m[1][0], m[1][1] + b" "), m[2]],
            "has the digest",
            id="wrong configuration",
        ),
        pytest.param(
            lambda m: [
                *m[:-1],
                ("manifest.json", (m[2][1] or b"").replace(b'"0.tar"', b'"/etc/passwd"')),
            ],
            "'/etc/passwd', which is outside",
            id="layer outside",
        ),
        pytest.param(
            lambda m: [*m[:-1], ("manifest.json", (m[2][1] or b"").replace(b'"0.tar"', b""))],
            "has 0 layers, and its configuration names 1",
            id="layer count",
        ),
        pytest.param(
            lambda m: [
                *m[:-1],
                ("manifest.json", (m[2][1] or b"").replace(b"busybox:1", b"Bad:1")),
            ],
            "must be lower-case",
            id="bad tag",
        ),
        pytest.param(
            lambda m: [(m[0][0], bz2.compress(b"x" * 1000)), *m[1:]],
            "compressed with bzip2",
            id="bzip2 layer",
        ),
    ],
)
def test_bad_docker_archives(
    store: Store, tmp_path: Any, change: Callable[[Members], Members], why: str
) -> None:
    path = tar_file(tmp_path / "x.tar", change(docker_members(a_layer())))
    with pytest.raises(PodError) as error:
        load(store, path)
    assert why in error.value.message
    assert store.images.list() == []


def test_layer_that_is_not_what_the_configuration_says(store: Store, tmp_path: Any) -> None:
    members = docker_members(a_layer())
    members[0] = ("0.tar", a_layer("other"))
    with pytest.raises((DigestMismatch, DiffIdMismatch)):
        load(store, tar_file(tmp_path / "x.tar", members))
    assert list(store.layers.list()) == []
    assert list(store.blobs.partials()) == []


def test_layer_that_is_no_archive(store: Store, tmp_path: Any) -> None:
    with pytest.raises(InvalidLayer):
        load(store, tar_file(tmp_path / "x.tar", docker_members(b"nonsense" * 1000)))


def test_links_in_a_circle(store: Store, tmp_path: Any) -> None:
    members = docker_members(a_layer(), Layers=["a"])[1:]
    path = tar_file(tmp_path / "x.tar", members, a="b", b="a")
    with pytest.raises(BadArchive, match="leads to itself"):
        load(store, path)


def test_links_never_leave_the_archive(store: Store, tmp_path: Any) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(a_layer())
    for target in (str(secret), f"../../../../{secret}", "..", "/"):
        members = docker_members(a_layer(), Layers=["a"])[1:]
        path = tar_file(tmp_path / "x.tar", members, a=target)
        with pytest.raises(BadArchive, match="'a' is missing"):
            load(store, path)


@pytest.mark.parametrize("cut", [100, 512, 700, 2000, -1100])
def test_truncated_archive(store: Store, tmp_path: Any, cut: int) -> None:
    path = tar_file(tmp_path / "x.tar", docker_members(a_layer()))
    os.truncate(path, cut if cut > 0 else len(a_layer()) + 1024 + cut)
    with pytest.raises(PodError):
        load(store, path)
    assert store.images.list() == []


def test_truncated_compressed_archive(store: Store, tmp_path: Any) -> None:
    path = tar_file(tmp_path / "x.tar", docker_members(a_layer()))
    with open(path, "rb") as file:
        packed = gzip.compress(file.read())
    (tmp_path / "x.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(BadArchive, match="ends too early"):
        load(store, str(tmp_path / "x.gz"))


@pytest.mark.parametrize("content", [b"", b"x", b"#!/bin/sh\necho no archive\n" * 100, b"\x1f\x8b"])
def test_what_is_not_an_archive(store: Store, tmp_path: Any, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(BadArchive):
        load(store, str(tmp_path / "x"))


def test_missing_and_unreadable_paths(store: Store, tmp_path: Any) -> None:
    with pytest.raises(BadArchive, match="No such file"):
        load(store, str(tmp_path / "nothing"))
    with pytest.raises(BadArchive, match="neither"):
        load(store, str(tmp_path))


def test_sizes_that_lie(store: Store, tmp_path: Any) -> None:
    """A header that promises 8 GB of layer in a small file."""
    path = tar_file(tmp_path / "x.tar", docker_members(a_layer()))
    with open(path, "r+b") as file:
        header = bytearray(file.read(512))
        header[124:136] = b"77777777777\0"
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        file.seek(0)
        file.write(header)
    with pytest.raises(BadArchive):
        load(store, path)


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda layout, image: layout.add(b"x"), None),
        (
            lambda layout, image: os.unlink(
                layout.blob_path(image.manifest()["layers"][0]["digest"])
            ),
            BadArchive,
        ),
        (lambda layout, image: os.unlink(layout.blob_path(image.digest)), BadArchive),
        (lambda layout, image: _flip(layout.blob_path(image.digest)), DigestMismatch),
        (lambda layout, image: _flip(layout.blob_path(f"sha256:{image.id}")), DigestMismatch),
        (
            lambda layout, image: _flip(layout.blob_path(image.manifest()["layers"][0]["digest"])),
            (DigestMismatch, LayerError),
        ),
        (
            lambda layout, image: os.truncate(
                layout.blob_path(image.manifest()["layers"][0]["digest"]), 10
            ),
            BadArchive,
        ),
        (lambda layout, image: _write(layout, b"{}"), InvalidImage),
        (lambda layout, image: _write(layout, b'{"schemaVersion":2,"manifests":[]}'), BadArchive),
    ],
    ids=[
        "none",
        "no layer",
        "no manifest",
        "manifest",
        "configuration",
        "layer",
        "short layer",
        "index",
        "empty index",
    ],
)
def test_damaged_layouts(
    store: Store, tmp_path: Any, damage: Callable[[Layout, Image], Any], error: Any
) -> None:
    image = an_image(tmp_path)
    damage(image.layout, image)
    if error is None:
        assert load(store, str(tmp_path))
        return
    with pytest.raises(error):
        load(store, str(tmp_path))
    assert store.images.list() == []


def _flip(path: str) -> None:
    with open(path, "r+b") as file:
        file.seek(30)
        byte = file.read(1)
        file.seek(30)
        file.write(bytes([byte[0] ^ 0x20]))


def _write(layout: Layout, data: bytes) -> None:
    with open(f"{layout.path}/index.json", "wb") as file:
        file.write(data)
