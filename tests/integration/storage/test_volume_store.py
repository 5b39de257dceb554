"""Volumes: filled from images, exported, imported, measured, removed."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from storage.store import Store
from storage.volumes import ArchiveError, VolumeExists, VolumeNotFound
from tests.integration.storage.conftest import inside, kinds, tree_of
from tests.support.layout import Entry, directory, hardlink, layer_tar, symlink

Make = Callable[..., str]


def test_a_new_volume_is_an_empty_directory(store: Store) -> None:
    path = store.volumes.create("data")
    assert path == store.volumes.path("data") == f"{store.root}/volumes/data/_data"
    assert (os.listdir(path), os.stat(path).st_mode & 0o7777) == ([], 0o755)
    assert (store.volumes.has("data"), store.volumes.list()) == (True, ["data"])
    with pytest.raises(VolumeExists, match="'data'"):
        store.volumes.create("data")


def test_a_volume_that_was_half_made_can_be_made(store: Store) -> None:
    os.makedirs(f"{store.root}/volumes/data")
    assert not store.volumes.has("data")
    store.volumes.create("data")
    assert store.volumes.has("data")


def test_a_removed_volume_is_gone_at_once(store: Store) -> None:
    path = store.volumes.create("data")
    inside(lambda: os.chown(path, 33, 33))
    inside(lambda: os.mkdir(f"{path}/closed", 0o000))
    store.volumes.remove("data")
    assert store.volumes.list() == []
    with pytest.raises(VolumeNotFound):
        store.volumes.remove("data")
    store.staging.empty_trash()
    assert store.staging.trash() == []


def test_a_volume_is_filled_from_the_image(store: Store, make_layer: Make) -> None:
    lower = make_layer(
        directory("var/lib/db", mode=0o750, uid=5, gid=6),
        Entry("var/lib/db/base", b"base", uid=5, xattrs={"user.note": "kept"}),
        hardlink("var/lib/db/linked", "var/lib/db/base"),
        Entry("var/lib/db/removed", b"x"),
        Entry("var/lib/db/sub/deep", b"x"),
    )
    upper = make_layer(
        directory("var/lib/db", mode=0o700, uid=5, gid=6),
        Entry("var/lib/db/.wh.removed"),
        symlink("data", "/var/lib/db"),
    )
    volume = store.volumes.create("data")
    assert store.volumes.copy_up("data", [upper, lower], "/data")
    tree = tree_of(volume)
    assert sorted(tree) == ["base", "linked", "sub", "sub/deep"]
    assert (tree["base"]["owner"], tree["base"]["links"], tree["base"]["xattrs"]) == (
        (5, 0),
        2,
        {"user.note": b"kept"},
    )
    status = inside(lambda: list(os.stat(volume)))
    assert (status[0] & 0o7777, status[4], status[5]) == (0o700, 5, 6)
    assert os.listdir(f"{store.root}/staging") == []


def test_a_volume_that_has_something_is_left_alone(store: Store, make_layer: Make) -> None:
    layer = make_layer(Entry("data/image", b"x"))
    volume = store.volumes.create("data")
    with open(f"{volume}/mine", "w") as file:
        file.write("x")
    assert not store.volumes.copy_up("data", [layer], "/data")
    assert os.listdir(volume) == ["mine"]
    inside(lambda: os.chmod(volume, 0o000))
    inside(lambda: os.chown(volume, 9, 9))
    assert not store.volumes.copy_up("data", [layer], "/data")


@pytest.mark.parametrize("path", ["/missing", "/file", "/link-out", "/loop", "/empty"])
def test_a_volume_stays_empty_when_the_image_has_nothing(
    store: Store, make_layer: Make, path: str
) -> None:
    layer = make_layer(
        Entry("file", b"x"),
        symlink("link-out", "../../../../etc"),
        symlink("loop", "loop"),
        directory("empty", mode=0o1777),
    )
    volume = store.volumes.create("data")
    assert not store.volumes.copy_up("data", [layer], path)
    assert os.listdir(volume) == []
    assert os.stat(volume).st_mode & 0o7777 == (0o1777 if path == "/empty" else 0o755)


def test_an_empty_directory_of_somebody_gives_its_owner(store: Store, make_layer: Make) -> None:
    layer = make_layer(directory("data", mode=0o700, uid=33, gid=33))
    volume = store.volumes.create("data")
    store.volumes.copy_up("data", [layer], "data")
    status = inside(lambda: list(os.stat(volume)))
    assert (status[0] & 0o7777, status[4], status[5]) == (0o700, 33, 33)


def export(store: Store, name: str) -> bytes:
    read_fd, write_fd = os.pipe()
    child = store.volumes.start_export(name, write_fd)
    os.close(write_fd)
    with open(read_fd, "rb") as pipe:
        data = pipe.read()
    child.result()
    return data


def import_bytes(store: Store, name: str, data: bytes, tmp_path: Any) -> None:
    (tmp_path / "archive").write_bytes(data)
    with open(tmp_path / "archive", "rb") as file:
        store.volumes.import_archive(name, file.fileno())


def test_what_is_exported_can_be_imported(store: Store, tmp_path: Any) -> None:
    data = layer_tar(
        [
            directory("sub", mode=0o2770, uid=3, gid=4),
            Entry("sub/file", b"content", mode=0o4711, uid=5, gid=6),
            symlink("link", "/anywhere"),
            Entry(".wh.ordinary", b"just a name here"),
        ]
    )
    first = store.volumes.create("first")
    import_bytes(store, "first", gzip.compress(data), tmp_path)
    second = store.volumes.create("second")
    import_bytes(store, "second", export(store, "first"), tmp_path)
    for tree in (tree_of(first), tree_of(second)):
        assert sorted(tree) == [".wh.ordinary", "link", "sub", "sub/file"]
        assert (tree["sub/file"]["mode"], tree["sub/file"]["owner"]) == (0o4711, (5, 6))
        assert (tree["sub"]["mode"], tree["sub"]["owner"]) == (0o2770, (3, 4))
    with tarfile.open(fileobj=io.BytesIO(export(store, "second"))) as archive:
        assert sorted(archive.getnames()) == [".wh.ordinary", "link", "sub", "sub/file"]


def test_an_import_is_added_to_what_is_there(store: Store, tmp_path: Any) -> None:
    volume = store.volumes.create("data")
    import_bytes(store, "data", layer_tar([Entry("a", b"old"), Entry("kept", b"x")]), tmp_path)
    import_bytes(store, "data", layer_tar([Entry("a", b"new"), directory("b")]), tmp_path)
    assert kinds(volume) == {"a": "file", "kept": "file", "b": "directory"}
    assert tree_of(volume)["a"]["content"] == b"new"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"not an archive" * 100, id="garbage"),
        pytest.param(gzip.compress(b"x" * 9999)[:20], id="cut"),
        pytest.param(layer_tar([Entry("../../escape", b"x")]), id="escape"),
    ],
)
def test_what_is_no_archive_is_refused(store: Store, tmp_path: Any, data: bytes) -> None:
    store.volumes.create("data")
    with pytest.raises(ArchiveError, match="volume 'data'"):
        import_bytes(store, "data", data, tmp_path)
    assert sorted(os.listdir(f"{store.root}/volumes")) == ["data"]


def test_volumes_that_are_not_there_are_named(store: Store) -> None:
    for action in (store.volumes.start_export, store.volumes.import_archive):
        with pytest.raises(VolumeNotFound, match="'none'"):
            action("none", 0)


def test_usage_counts_files_of_everybody(store: Store) -> None:
    first, second = store.volumes.create("first"), store.volumes.create("second")

    def fill() -> None:
        os.mkdir(f"{first}/closed", 0o700)
        os.chown(f"{first}/closed", 33, 33)
        with open(f"{first}/closed/file", "wb") as file:
            file.write(bytes(100_000))

    inside(fill)
    one, two = store.volumes.usage(["first", "second"])
    assert (one.size, one.entries, two.size, two.entries) == (100_000, 3, 0, 1)
    assert one.allocated >= 100_000
    assert os.path.isdir(second)
