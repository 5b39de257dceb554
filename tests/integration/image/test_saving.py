"""Saving and importing with a real store, and what other programs make of it."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

from pod.base.errors import PodError
from pod.image import failures, import_tree, save, saving
from pod.image.connections import Settings
from pod.image.platform import parse_platform
from pod.image.progress import Silence
from pod.spec import reference
from pod.spec.digest import hex_of
from storage import removal
from storage.store import Store
from tests.integration.image.archive_files import a_layer, an_image, load
from tests.integration.image.faulty import FaultyRegistry, Reply, digest_of
from tests.support.layout import Entry, Layout, layer_tar, symlink

# Saving


def saved(store: Store, path: Any, *names: str, kind: str = saving.DOCKER_ARCHIVE) -> str:
    images = [saving.SavedImage(store.images.lookup(name), (name,)) for name in names]
    save.save(store, images, str(path), Silence(), kind=kind)
    return str(path)


@pytest.fixture
def other_store(workspace: str) -> Any:
    made = Store(f"{workspace}/other")
    yield made
    removal.remove_tree(made.root)


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
@pytest.mark.parametrize("kind", saving.FORMATS)
def test_saved_image_is_the_same_image(
    store: Store, other_store: Store, tmp_path: Any, compression: str, kind: str
) -> None:
    layers = [a_layer("a"), layer_tar([Entry("b", b"x"), symlink("c", "b")]), a_layer("a")]
    layout = Layout(str(tmp_path / "layout"))
    image = layout.add_image([layout.add_layer(x, compression) for x in layers], name="q.io/me/x:1")
    (loaded,) = load(store, str(tmp_path / "layout"))
    path = saved(store, tmp_path / "saved", "q.io/me/x:1", kind=kind)
    (again,) = load(other_store, path)
    assert again.id == loaded.id == f"sha256:{image.id}"
    if kind != saving.DOCKER_DIR:
        assert again.digest == image.digest
    if kind != saving.DOCKER_DIR:
        assert again.names == ("q.io/me/x:1",)
    assert sorted(os.listdir(tmp_path)) == ["layout", "saved"]


def test_docker_archive_has_the_layout_that_others_read(store: Store, tmp_path: Any) -> None:
    """Docker's listing and an OCI layout of the same blobs."""
    image = an_image(tmp_path / "layout", a_layer(), name="q.io/me/x:1")
    load(store, str(tmp_path / "layout"))
    path = saved(store, tmp_path / "x.tar", "q.io/me/x:1")
    digests = [
        image.digest,
        *(it["digest"] for it in (image.manifest()["config"], *image.manifest()["layers"])),
    ]
    blobs = [f"blobs/sha256/{hex_of(digest)}" for digest in digests]
    with tarfile.open(path) as archive:
        documents = ["oci-layout", "index.json", "manifest.json", "repositories"]
        assert sorted(archive.getnames()) == sorted(["blobs", "blobs/sha256", *blobs, *documents])
        listing = json.load(archive.extractfile("manifest.json") or io.BytesIO())
        index = json.load(archive.extractfile("index.json") or io.BytesIO())
        for name, digest in zip(blobs, digests, strict=True):
            assert digest_of((archive.extractfile(name) or io.BytesIO()).read()) == digest
    assert listing == [{"Config": blobs[1], "RepoTags": ["q.io/me/x:1"], "Layers": blobs[2:]}]
    (entry,) = index["manifests"]
    assert entry["digest"] == image.digest
    assert entry["annotations"]["io.containerd.image.name"] == "q.io/me/x:1"


def test_listing_comes_before_a_layout_that_says_something_else(
    store: Store, other_store: Store, tmp_path: Any
) -> None:
    """Of a manifest with the same configuration and other blobs nothing is taken."""
    layout = Layout(str(tmp_path / "layout"))
    layout.add_image([layout.add_layer(a_layer())], name="q.io/me/x:1", docker=True)
    (loaded,) = load(store, str(tmp_path / "layout"))
    path = saved(store, tmp_path / "x.tar", "q.io/me/x:1")
    changed = str(tmp_path / "y.tar")
    with tarfile.open(path) as old, tarfile.open(changed, "w") as new:
        listing = json.load(old.extractfile("manifest.json") or io.BytesIO())
        for member in old:
            data = (old.extractfile(member) or io.BytesIO()).read() if member.isreg() else b""
            if member.name == listing[0]["Layers"][0]:
                add(new, "elsewhere.tar", data)
            if member.name == "manifest.json":
                data = json.dumps([{**listing[0], "Layers": ["elsewhere.tar"]}]).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    (again,) = load(other_store, changed)
    assert again.id == loaded.id
    assert again.names == ("q.io/me/x:1",)
    assert again.digest != loaded.digest


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, io.BytesIO(data))


def test_several_images_share_layers(store: Store, other_store: Store, tmp_path: Any) -> None:
    shared = a_layer("shared")
    for name in ("one", "two"):
        an_image(tmp_path / name, shared, a_layer(name), name=f"q.io/{name}:1")
        load(store, str(tmp_path / name))
    path = saved(store, tmp_path / "x.tar", "q.io/one:1", "q.io/two:1", "q.io/one:1")
    with tarfile.open(path) as archive:
        names = archive.getnames()
    assert len(names) == len(set(names)) == 2 + 3 + 2 + 2 + 4, (
        "directories, layers, configurations, manifests, lists"
    )
    assert [image.names for image in load(other_store, path)] == [("q.io/one:1",), ("q.io/two:1",)]
    with pytest.raises(saving.OneImageOnly):
        saved(store, tmp_path / "y.tar", "q.io/one:1", "q.io/two:1", kind=saving.OCI_ARCHIVE)


def test_second_image_joins_an_oci_directory(
    store: Store, other_store: Store, tmp_path: Any
) -> None:
    for name in ("one", "two"):
        an_image(tmp_path / name, a_layer(name), name=f"q.io/{name}:1")
        load(store, str(tmp_path / name))
        saved(store, tmp_path / "saved", f"q.io/{name}:1", kind=saving.OCI_DIR)
    saved(store, tmp_path / "saved", "q.io/two:1", kind=saving.OCI_DIR)
    loaded = load(other_store, str(tmp_path / "saved"))
    assert [image.names for image in loaded] == [("q.io/one:1",), ("q.io/two:1",)]


def test_what_is_there_is_not_overwritten(store: Store, tmp_path: Any) -> None:
    an_image(tmp_path / "layout", name="q.io/x:1")
    load(store, str(tmp_path / "layout"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious").write_text("x")
    for kind in (saving.OCI_DIR, saving.DOCKER_DIR, saving.DOCKER_ARCHIVE):
        with pytest.raises(saving.CannotSave):
            saved(store, tmp_path / "full", "q.io/x:1", kind=kind)
    assert os.listdir(tmp_path / "full") == ["precious"]
    with pytest.raises(saving.CannotSave):
        saved(store, tmp_path / "missing" / "x.tar", "q.io/x:1")


@pytest.mark.parametrize("kind", [saving.DOCKER_ARCHIVE, saving.OCI_ARCHIVE])
@pytest.mark.parametrize("damage", ["shorter", "another byte"])
def test_failed_save_keeps_the_old_file(
    store: Store, tmp_path: Any, kind: str, damage: str
) -> None:
    an_image(tmp_path / "layout", name="q.io/x:1")
    load(store, str(tmp_path / "layout"))
    (layer,) = store.images.lookup("q.io/x:1").layers
    path = store.blobs.path(layer.digest)
    if damage == "shorter":
        os.truncate(path, 100)
    else:
        with open(path, "r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"!")
    target = tmp_path / "x.tar"
    target.write_text("old")
    with pytest.raises(saving.DamagedBlob):
        saved(store, target, "q.io/x:1", kind=kind)
    assert target.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["layout", "x.tar"]


def test_save_to_a_pipe_that_closes(store: Store, tmp_path: Any) -> None:
    an_image(tmp_path / "layout", name="q.io/x:1")
    load(store, str(tmp_path / "layout"))
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    image = saving.SavedImage(store.images.lookup("q.io/x:1"), ("q.io/x:1",))
    with pytest.raises(BrokenPipeError):
        save.save(store, [image], write_fd, Silence())
    os.close(write_fd)


def test_skopeo_reads_what_we_save(store: Store, tmp_path: Any) -> None:
    image = an_image(tmp_path / "layout", name="q.io/me/x:1")
    load(store, str(tmp_path / "layout"))
    for kind, scheme in (
        (saving.DOCKER_ARCHIVE, "docker-archive"),
        (saving.OCI_ARCHIVE, "oci-archive"),
        (saving.OCI_DIR, "oci"),
        (saving.DOCKER_DIR, "dir"),
    ):
        path = saved(store, tmp_path / kind, "q.io/me/x:1", kind=kind)
        command = [
            "skopeo",
            "--insecure-policy",
            "copy",
            "-q",
            f"{scheme}:{path}",
            f"oci:{tmp_path}/copy-{kind}:x",
        ]
        subprocess.run(command, check=True, capture_output=True)
        (copied,) = load(store, f"{tmp_path}/copy-{kind}")
        assert copied.id == f"sha256:{image.id}"


# Importing


def imported(store: Store, source: str | int, **options: Any) -> import_tree.ImportedImage:
    return import_tree.import_tree(store, source, Silence(), **options)


@pytest.mark.parametrize(
    ("pack", "kind"),
    [
        (bytes, ""),
        (gzip.compress, "+gzip"),
        (zstandard.ZstdCompressor().compress, "+zstd"),
        (bz2.compress, ""),
        (lzma.compress, ""),
    ],
    ids=["plain", "gzip", "zstd", "bzip2", "xz"],
)
def test_import(store: Store, tmp_path: Any, pack: Callable[[bytes], bytes], kind: str) -> None:
    (tmp_path / "root.tar").write_bytes(pack(a_layer("file")))
    image = imported(
        store,
        str(tmp_path / "root.tar"),
        reference=reference.parse("mine:1"),
        changes=["CMD=/bin/bash", "ENV A=b"],
        message="hello",
        platform=parse_platform("linux/arm/v7"),
    )
    assert image.name == "localhost/mine:1"
    record = store.images.lookup("localhost/mine:1")
    assert record.id == image.id
    assert record.platform == "linux/arm/v7"
    (layer,) = record.layers
    assert layer.media_type == f"application/vnd.oci.image.layer.v1.tar{kind}"
    assert record.diff_ids == (digest_of(a_layer("file")),)
    config = record.config()
    assert config["config"] == {"Cmd": ["/bin/sh", "-c", "/bin/bash"], "Env": ["A=b"]}
    assert config["history"][0]["comment"] == "hello"
    assert os.path.exists(f"{store.layers.path(record.diff_ids[0])}/file")


def test_import_from_a_pipe_without_name(store: Store, tmp_path: Any) -> None:
    (tmp_path / "root.tar").write_bytes(a_layer())
    with subprocess.Popen(["cat", str(tmp_path / "root.tar")], stdout=subprocess.PIPE) as cat:
        assert cat.stdout
        image = imported(store, cat.stdout.fileno())
    assert image.name == ""
    assert store.images.lookup(image.id).names == ()


def test_import_from_a_url(store: Store, server: FaultyRegistry) -> None:
    server.answer = lambda seen: Reply(200, {}, a_layer()) if seen.path == "/root.tar" else None
    assert imported(store, f"{server.url}/root.tar").id
    with pytest.raises(import_tree.CannotImport, match="nothing at this address"):
        imported(store, f"{server.url}/other")
    server.fault("/root.tar", Reply(200, {}, a_layer(), cut=1000))
    with pytest.raises(failures.ConnectionLost):
        imported(store, f"{server.url}/root.tar", settings=Settings(retries=0))
    assert list(store.blobs.partials()) == []


@pytest.mark.parametrize(
    "content", [b"nonsense" * 200_000, b"\x1f\x8bnonsense", b"BZh91AY&SYnonsense"]
)
def test_import_of_what_is_no_archive(store: Store, tmp_path: Any, content: bytes) -> None:
    (tmp_path / "root.tar").write_bytes(content)
    with pytest.raises(PodError):
        imported(store, str(tmp_path / "root.tar"))
    assert store.images.list() == []
    assert list(store.blobs.partials()) == []


def test_import_of_a_missing_file_and_a_bad_change(store: Store, tmp_path: Any) -> None:
    with pytest.raises(import_tree.CannotImport, match="No such file"):
        imported(store, str(tmp_path / "nothing"))
    with pytest.raises(import_tree.CannotImport, match="directory"):
        imported(store, str(tmp_path))
    (tmp_path / "root.tar").write_bytes(a_layer())
    with pytest.raises(PodError, match="RUN"):
        imported(store, str(tmp_path / "root.tar"), changes=["RUN x"])
