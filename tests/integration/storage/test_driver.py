"""The contract of storage drivers: whatever is below, a container sees the same and writes to a place of its own.

Each test mounts the root file system as the runtime would, and does in it what a container does.
"""

from __future__ import annotations

import io
import os
import stat
import subprocess
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from pod.base import files
from pod.linux import idmap, mounts, syscalls
from storage import overlayfs, root_mount
from storage.drivers import table
from storage.layers import LayerNotFound
from storage.root_mount import NoRootFileSystem, RootMount
from storage.store import Store
from tests.integration.storage.conftest import inside, tree_of, unpack
from tests.support.layout import EPOCH, Entry, directory, hardlink, layer_tar, symlink

BASE = (
    directory("./", mode=0o711),
    directory("etc"),
    Entry("etc/passwd", b"root", mode=0o640, gid=42),
    Entry("etc/removed", b"x"),
    directory("old"),
    Entry("old/hidden", b"x"),
    directory("gone"),
    Entry("gone/file", b"x"),
    Entry("was-file", b"x"),
    directory("was-dir"),
    Entry("was-dir/file", b"x"),
    Entry("bin/busy", b"program", mode=0o4755),
    hardlink("bin/sh", "bin/busy"),
    symlink("sbin", "bin"),
)
TOP = (
    Entry("etc/.wh.removed"),
    directory("old"),
    Entry("old/.wh..wh..opq"),
    Entry("old/new", b"x"),
    Entry(".wh.gone"),
    directory("was-file"),
    Entry("was-dir", b"now a file"),
    Entry("etc/passwd", b"root and more", mode=0o644),
    Entry("data/mine", b"x", uid=5, gid=5),
    directory("data", mode=0o750, uid=5, gid=5),
)


@pytest.fixture(params=table.NAMES)
def store(request: pytest.FixtureRequest, store: Store) -> Store:
    why = table.by_name(request.param).probe(store.root)
    if why:
        pytest.skip(f"{request.param}: {why}")
    return Store(store.root, driver=request.param)


@pytest.fixture
def container(store: Store) -> str:
    """The directory of a container on both layers."""
    return make_container(store, BASE, TOP)


def make_container(store: Store, *layers: tuple[Entry, ...], name: str = "c" * 64) -> str:
    diff_ids = [unpack(store, layer_tar(entries)).diff_id for entries in layers]
    directory = f"{store.root}/containers/{name}"
    os.makedirs(directory)
    made = store.rootfs.create(directory, diff_ids)
    assert made == store.rootfs.describe(directory)
    assert root_mount.plain(store.root, directory) == (made if made.kind == "overlay" else None)
    return directory


def within(store: Store, container: str, function: Callable[[str], Any]) -> Any:
    """Call `function` with the path of the mounted root file system, as root of the container's id map."""
    mount = store.rootfs.describe(container)
    point = f"{container}/mounted"
    os.makedirs(point, exist_ok=True)

    def work() -> Any:
        mount_root(mount, point)
        os.umask(0o022)
        try:
            return function(point)
        finally:
            os.chdir("/")
            syscalls.umount2(point, 0)

    return idmap.run_inside(work, what="be a container")


def mount_root(mount: RootMount, point: str) -> None:
    if mount.kind == "overlay":
        mounts.mount_overlay(mount.lowers, mount.upper, mount.work, point, mount.options)
    elif mount.kind == "fuse-overlayfs":
        subprocess.run([*mount.program, point], check=True)
    else:
        mounts.bind(mount.path, point)


def listing(top: str) -> dict[str, tuple[int, int, int, Any]]:
    """Mode, owner and content of everything in a tree; None for directories."""
    found = {}
    for place, directories, names in os.walk(top):
        for name in directories + names:
            path = os.path.join(place, name)
            status = os.lstat(path)
            content: Any = None
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
            key = os.path.relpath(path, top)
            found[key] = (status.st_mode & 0o7777, status.st_uid, status.st_gid, content)
    return found


SEEN = {
    "bin": (0o755, 0, 0, None),
    "bin/busy": (0o4755, 0, 0, b"program"),
    "bin/sh": (0o4755, 0, 0, b"program"),
    "data": (0o750, 5, 5, None),
    "data/mine": (0o644, 5, 5, b"x"),
    "etc": (0o755, 0, 0, None),
    "etc/passwd": (0o644, 0, 0, b"root and more"),
    "old": (0o755, 0, 0, None),
    "old/new": (0o644, 0, 0, b"x"),
    "sbin": (0o777, 0, 0, "bin"),
    "was-dir": (0o644, 0, 0, b"now a file"),
    "was-file": (0o755, 0, 0, None),
}


def test_a_container_sees_the_layers_as_one_tree(store: Store, container: str) -> None:
    assert within(store, container, listing) == SEEN


def test_the_root_directory_is_as_the_image_says(store: Store, container: str) -> None:
    """Not the topmost layer's: its archive has no entry for it."""
    status = within(store, container, lambda top: list(os.stat(top)))
    assert (status[0] & 0o7777, status[4], status[5]) == (0o711, 0, 0)


def test_the_root_directory_may_belong_to_anybody(store: Store) -> None:
    top = Entry("./", kind="directory", mode=0o1750, uid=7, gid=8)
    container = make_container(store, (top, Entry("x")))
    status = within(store, container, lambda top: list(os.stat(top)))
    assert (status[0] & 0o7777, status[4], status[5]) == (0o1750, 7, 8)


def test_times_and_links_are_kept(store: Store, container: str) -> None:
    def look(top: str) -> Any:
        busy, shell = os.stat(f"{top}/bin/busy"), os.stat(f"{top}/bin/sh")
        return (
            busy.st_ino == shell.st_ino,
            busy.st_nlink,
            busy.st_mtime,
            os.stat(f"{top}/old").st_mtime,
        )

    assert within(store, container, look) == (True, 2, EPOCH, EPOCH)


def change(top: str) -> None:
    """What containers do."""
    with open(f"{top}/etc/passwd", "a") as file:
        file.write(" changed")
    os.mkdir(f"{top}/made")
    with open(f"{top}/made/file", "w") as file:
        file.write("new")
    os.chown(f"{top}/made/file", 33, 44)
    os.chmod(f"{top}/made/file", 0o4750)
    os.setxattr(f"{top}/made/file", "user.note", b"text")
    os.link(f"{top}/made/file", f"{top}/made/link")
    os.symlink("file", f"{top}/made/symlink")
    os.mkfifo(f"{top}/made/pipe")
    os.unlink(f"{top}/data/mine")
    os.unlink(f"{top}/old/new")
    os.rmdir(f"{top}/old")
    os.mkdir(f"{top}/old")
    with open(f"{top}/old/newer", "w") as file:
        file.write("x")
    os.unlink(f"{top}/was-dir")
    os.mkdir(f"{top}/was-dir")
    os.rmdir(f"{top}/was-file")
    os.symlink("/etc", f"{top}/was-file")
    os.chmod(f"{top}/bin/busy", 0o700)


CHANGES = [
    ("C", "/bin"),
    ("C", "/bin/busy"),
    ("C", "/data"),
    ("D", "/data/mine"),
    ("C", "/etc"),
    ("C", "/etc/passwd"),
    ("A", "/made"),
    ("A", "/made/file"),
    ("A", "/made/link"),
    ("A", "/made/pipe"),
    ("A", "/made/symlink"),
    ("C", "/old"),
    ("D", "/old/new"),
    ("A", "/old/newer"),
    ("C", "/was-dir"),
    ("C", "/was-file"),
]


def test_a_new_container_has_no_changes(store: Store, container: str) -> None:
    within(store, container, listing)
    assert store.rootfs.diff(container) == []


def test_changes_are_listed(store: Store, container: str) -> None:
    within(store, container, change)
    found = store.rootfs.diff(container)
    # A changed file with several names is copied once by overlay, and is the same file under all of them in a copy.
    assert [entry for entry in found if entry != ("C", "/bin/sh")] == CHANGES


def test_what_a_container_writes_stays_its_own(store: Store, container: str) -> None:
    other = make_container(store, BASE, TOP, name="d" * 64)
    within(store, container, change)
    assert within(store, other, listing) == SEEN
    assert "made/file" in within(store, container, listing)


def test_a_committed_layer_gives_the_same_tree(store: Store, container: str) -> None:
    within(store, container, change)
    before = within(store, container, listing)
    new = store.commit(container)
    layers = [*reversed(store.rootfs.layers(container)), store.layers.path(new.diff_id)]
    again = f"{store.root}/containers/{'e' * 64}"
    os.makedirs(again)
    document = files.read_json(f"{container}/rootfs.json")
    diff_ids = [
        record.diff_id
        for layer in layers
        for record in store.layers.list()
        if store.layers.path(record.diff_id) == layer
    ]
    assert len(diff_ids) == len(document["layers"]) + 1
    store.rootfs.create(again, diff_ids)
    after = within(store, again, listing)
    if before["bin/sh"] != after["bin/sh"]:  # see test_changes_are_listed
        before["bin/sh"] = after["bin/sh"]
    assert after == before
    note = within(store, again, lambda top: os.getxattr(f"{top}/made/file", "user.note"))
    assert note == b"text"


def test_a_commit_is_a_layer_that_others_can_read(store: Store, container: str) -> None:
    within(store, container, change)
    new = store.commit(container, exclude=["/made/pipe", "/etc/passwd"], compress=True)
    assert new.layer.media_type.endswith("+gzip")
    assert new.layer.size == store.blobs.size(new.layer.digest)
    with tarfile.open(fileobj=io.BytesIO(store.blobs.read(new.layer.digest))) as archive:
        found = {member.name: member for member in archive.getmembers()}
    assert {"data/.wh.mine", "old/.wh.new"} <= set(found)
    assert {"made/pipe", "etc/passwd"}.isdisjoint(found)
    file = found["made/file"]
    assert (file.mode, file.uid, file.gid, file.size) == (0o4750, 33, 44, 3)
    assert file.pax_headers["SCHILY.xattr.user.note"] == "text"
    assert (found["made/link"].type, found["made/link"].linkname) == (tarfile.LNKTYPE, "made/file")
    assert found["was-file"].linkname == "/etc"
    assert list(found) == sorted(found, key=lambda name: name.replace(".wh.", "").split("/"))


def test_a_commit_is_held_before_it_is_there(store: Store, container: str) -> None:
    """From the moment it is there until it is named, a collection would take it."""
    within(store, container, change)
    held: list[str] = []

    def hold(digest: str) -> None:
        assert digest not in store.blobs.list()
        assert not store.layers.has(digest)
        held.append(digest)

    new = store.commit(container, compress=True, hold=hold)
    assert held == [new.diff_id, new.layer.digest]
    assert store.blobs.has(new.layer.digest)
    assert store.layers.has(new.diff_id)


def test_a_commit_of_nothing_is_an_empty_layer(store: Store, container: str) -> None:
    assert store.commit(container).size == 1024


def test_an_export_has_the_whole_tree(store: Store, container: str) -> None:
    within(store, container, change)
    before = within(store, container, listing)
    read_fd, write_fd = os.pipe()
    child = store.rootfs.start_export(container, write_fd, exclude=["/made/pipe"])
    os.close(write_fd)
    with open(read_fd, "rb") as pipe:
        data = pipe.read()
    child.result()
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = {member.name: member for member in archive.getmembers()}
        busy = archive.extractfile("bin/busy")
        assert busy is not None
        assert busy.read() == b"program"
    assert set(members) - {"."} == set(before) - {"made/pipe"}
    assert members["."].mode == 0o711
    for name, (mode, uid, gid, _) in before.items():
        if name in members and not members[name].islnk():
            assert (members[name].mode, members[name].uid, members[name].gid) == (mode, uid, gid)


def test_disk_usage_is_what_the_container_wrote(store: Store, container: str) -> None:
    before = store.rootfs.usage(container)

    def write(top: str) -> None:
        with open(f"{top}/big", "wb") as file:
            file.write(bytes(1 << 20))
        os.link(f"{top}/big", f"{top}/big2")

    within(store, container, write)
    after = store.rootfs.usage(container)
    assert 1 << 20 <= after.allocated - before.allocated < (1 << 20) + 65_536
    assert after.size - before.size == 1 << 20


def test_a_container_without_layers_is_empty(store: Store) -> None:
    container = make_container(store)
    assert within(store, container, listing) == {}
    within(store, container, lambda top: os.mkdir(f"{top}/made"))
    assert store.rootfs.diff(container) == [("A", "/made")]


def test_a_container_needs_all_of_its_layers(store: Store) -> None:
    os.makedirs(f"{store.root}/containers/x")
    with pytest.raises(LayerNotFound):
        store.rootfs.create(f"{store.root}/containers/x", ["sha256:" + "0" * 64])
    with pytest.raises(NoRootFileSystem):
        store.rootfs.describe(f"{store.root}/containers/x")


def test_a_container_goes_with_its_directory(store: Store, container: str) -> None:
    within(store, container, change)
    store.staging.discard(container)
    assert not os.path.exists(container)
    store.staging.empty_trash()
    assert store.staging.trash() == []


def test_a_layer_may_hide_everything_below(store: Store) -> None:
    """At the root, overlay itself does not look for the mark."""
    container = make_container(
        store, BASE, (Entry(".wh..wh..opq"), Entry("only", b"x")), (Entry("top"),)
    )
    assert sorted(within(store, container, listing)) == ["only", "top"]


def test_many_layers_are_no_obstacle(store: Store) -> None:
    """More than the one page of options that mount(2) takes."""
    layers = [
        (Entry(f"layer{number}", b"x"), Entry("same", b"%d" % number)) for number in range(130)
    ]
    container = make_container(store, *layers)
    seen = within(store, container, listing)
    assert len(seen) == 131
    assert seen["same"][3] == b"129"


def test_the_marks_of_a_layer_are_not_seen_by_containers(store: Store, container: str) -> None:
    def look(top: str) -> list[str]:
        return [name for path in (top, f"{top}/old") for name in os.listxattr(path)]

    assert [
        name for name in within(store, container, look) if "overlay" in name or ".pod." in name
    ] == []


def test_layers_are_not_changed_by_containers(store: Store, container: str) -> None:
    layers = store.rootfs.layers(container)
    before = [tree_of(layer) for layer in layers]
    within(store, container, change)
    assert [tree_of(layer) for layer in layers] == before


def test_the_choice_is_kept_until_the_kernel_changes(store: Store) -> None:
    assert store.forced_driver is not None
    assert store.rootfs.driver().name == store.forced_driver
    assert table.known_probes(store.root)[store.forced_driver] == ""
    document = files.read_json(f"{store.root}/storage.json")
    files.write_json(f"{store.root}/storage.json", {**document, "kernel": "1.0"})
    assert table.known_probes(store.root) == {}


@pytest.mark.parametrize("store", ["overlay", "copy"], indirect=True)
def test_whiteouts_without_device_files(store: Store) -> None:
    """The form for places where device files are refused (Linux 6.7). fuse-overlayfs does not know it."""
    container = make_container(store, BASE, (directory("etc"), Entry("etc/other")))
    layer = store.rootfs.layers(container)[0]
    marks = overlayfs.marks_here()

    def mark() -> None:
        fd = os.open(f"{layer}/etc", os.O_RDONLY)
        marks.make_whiteout_file(fd, b"passwd")
        os.close(fd)

    inside(mark)
    again = f"{store.root}/containers/{'f' * 64}"
    os.makedirs(again)
    diff_ids = {store.layers.path(record.diff_id): record.diff_id for record in store.layers.list()}
    store.rootfs.create(
        again, [diff_ids[path] for path in reversed(store.rootfs.layers(container))]
    )
    assert "etc/passwd" not in within(store, again, listing)
    assert "etc/removed" in within(store, again, listing)


def test_any_directory_name_will_do(store: Store) -> None:
    colon = "" if store.forced_driver == "fuse-overlayfs" else ":"  # see its probe
    root = f"{store.root}/a{colon}b,c\\d e"
    odd = Store(root, driver=store.forced_driver)
    container = make_container(odd, BASE, TOP)
    assert within(odd, container, listing) == SEEN
