"""Hosts that lack something: space, subordinate ids, system calls, device files."""

from __future__ import annotations

import errno
import glob
import io
import os
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from pod.base import files
from pod.linux import idmap, inroot, syscalls
from storage import merged, overlayfs, tree
from storage.directories import names
from storage.images import Layer
from storage.layers import DiskFull
from storage.overlayfs import OWNER_XATTR
from storage.store import Store
from tests.integration.storage.conftest import _describe, unpack
from tests.support.layout import Entry, directory, layer_tar
from tests.support.waiting import until

SIX_MEGABYTES = os.urandom(6 << 20)


def on_small_disk(store: Store, function: Callable[[Store], Any]) -> Any:
    """Call `function` with a store on a file system of four megabytes."""
    place = f"{store.root}/small"
    os.makedirs(place)

    def work() -> Any:
        syscalls.mount("tmpfs", place, "tmpfs", 0, "size=4m")
        return function(Store(f"{place}/root"))

    return idmap.run_inside(work, what="use a small disk")


def test_a_full_disk_is_named_and_leaves_nothing(store: Store) -> None:
    def work(small: Store) -> Any:
        with pytest.raises(DiskFull) as caught:
            unpack(small, layer_tar([directory("d"), Entry("d/big", SIX_MEGABYTES)]))
        small.staging.empty_trash()
        left = names(f"{small.root}/staging") + names(f"{small.root}/layers")
        unpack(small, layer_tar([Entry("small", b"x")]))
        return caught.value.message, caught.value.hint, left

    message, hint, left = on_small_disk(store, work)
    assert "would fill the disk" in message
    assert "prune" in hint
    assert left == []


def test_a_disk_that_others_fill_is_named_too(store: Store) -> None:
    """The space is there when unpacking begins, and gone before it ends."""

    def work(small: Store) -> str:
        data = layer_tar([Entry("first", b"x"), Entry("big", SIX_MEGABYTES[: 3 << 20])])
        job = small.layers.unpack()
        os.write(job.sink_fd, data[:2048])
        first = f"{small.root}/staging/**/first"
        until(lambda: glob.glob(first, recursive=True), "the first file is unpacked")
        with open(f"{small.root}/others", "wb") as others:
            others.write(SIX_MEGABYTES[: 3 << 20])
        with pytest.raises(DiskFull) as caught:
            try:
                files.write_all(job.sink_fd, data[2048:])
            finally:
                job.finish()
        return caught.value.message

    assert "No space left on device" in on_small_disk(store, work)


def test_a_download_that_fills_the_disk_can_go_on_later(store: Store) -> None:
    def work(small: Store) -> Any:
        digest = "sha256:" + "0" * 64
        with (
            pytest.raises(OSError, match="No space left"),
            small.blobs.receive(digest, 6 << 20) as blob,
        ):
            for start in range(0, 6 << 20, 1 << 18):
                blob.write(SIX_MEGABYTES[start : start + (1 << 18)])
        [(_, size)] = small.blobs.partials()
        with small.blobs.receive(digest, 6 << 20) as blob:
            assert blob.offset == size
            assert os.pread(blob.fd, size, 0) == SIX_MEGABYTES[:size]
        return small.blobs.sweep(), list(small.blobs.partials())

    freed, left = on_small_disk(store, work)
    assert freed >= 3 << 20
    assert left == []


def test_images_can_be_listed_and_removed_on_a_full_disk(store: Store) -> None:
    def work(small: Store) -> Any:
        record = unpack(small, layer_tar([Entry("file", bytes(1 << 20))]))
        config = b'{"rootfs":{"diff_ids":["%s"]}}' % record.diff_id.encode()
        digest = small.blobs.add(b"x")
        small.images.add_image(config, [Layer(digest, 1, "x")], name="localhost/x:1")
        os.unlink(f"{small.images.directory}/facts.json")
        with (
            pytest.raises(OSError, match="No space"),
            open(f"{small.root}/fill", "wb", buffering=0) as fill,
        ):
            while True:
                fill.write(SIX_MEGABYTES)
        [image] = small.images.list()
        small.layers.remove(record.diff_id)
        small.staging.empty_trash()
        return image.names

    assert on_small_disk(store, work) == ("localhost/x:1",)


def test_volumes_may_be_on_another_disk(store: Store) -> None:
    place = f"{store.root}/other-disk"
    os.makedirs(place)
    layer = store.layers.path(unpack(store, layer_tar([Entry("data/file", b"x", uid=33)])).diff_id)

    def work() -> Any:
        syscalls.mount("tmpfs", place, "tmpfs", 0, "size=4m")
        other = Store(store.root, volumes=f"{place}/volumes")
        path = other.volumes.create("data")
        filled = other.volumes.copy_up("data", [layer], "/data")
        seen = _describe(path)["file"]["owner"]
        other.volumes.remove("data")
        return (
            filled,
            path.startswith(place),
            seen,
            names(f"{place}/volumes"),
            other.staging.trash(),
        )

    assert idmap.run_inside(work, what="use two disks") == (True, True, (33, 0), [], [])


def with_one_id(function: Callable[[], Any]) -> Any:
    """Call `function` where the caller is the only user there is."""
    maps = ((0, os.geteuid(), 1),), ((0, os.getegid(), 1),)
    return idmap.run_inside(function, what="be alone", maps=maps)


def test_true_owners_are_kept_aside_when_there_is_one_id(store: Store) -> None:
    if os.geteuid() == 0:
        pytest.skip("root has all ids")
    data = layer_tar(
        [
            directory("mail", mode=0o2770, uid=8, gid=8),
            Entry("mail/box", b"x", mode=0o600, uid=1000, gid=8),
            Entry("su", b"x", mode=0o4755),
            Entry("other-su", b"x", mode=0o6755, uid=5, gid=6),
            Entry("link", kind="symlink", target="x", uid=9),
        ]
    )

    def work() -> Any:
        alone = Store(f"{store.root}/alone")
        record = unpack(alone, data)
        path = alone.layers.path(record.diff_id)
        container = f"{alone.root}/containers/c"
        os.makedirs(container)
        alone.rootfs.create(container, [record.diff_id])
        out = os.memfd_create("tar")
        tree.write_tree([path], overlayfs.marks_here(), out)
        os.lseek(out, 0, 0)
        with open(out, "rb") as file:
            archive = file.read()
        return record.single_id, _describe(path), archive

    single_id, found, archive = with_one_id(work)
    assert single_id
    assert {entry["owner"] for entry in found.values()} == {(0, 0)}
    assert found["mail/box"]["xattrs"] == {OWNER_XATTR: b"1000:8:600"}
    assert found["su"]["xattrs"] == {}
    assert (found["su"]["mode"], found["other-su"]["mode"]) == (0o4755, 0o755)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        owners = {member.name: (member.uid, member.gid, member.mode) for member in tar.getmembers()}
    assert owners["mail"] == (8, 8, 0o2770)
    assert owners["mail/box"] == (1000, 8, 0o600)
    assert owners["other-su"] == (5, 6, 0o6755)


def test_layers_unpack_without_openat2(store: Store) -> None:
    def work() -> Any:
        refuse(syscalls._SYS_OPENAT2, errno.ENOSYS)
        record = unpack(
            store,
            layer_tar(
                [Entry("a/b/c", b"x"), Entry("l", kind="symlink", target="/a"), Entry("l/d")]
            ),
        )
        return _describe(store.layers.path(record.diff_id)), inroot._Kernel.has_openat2

    found, _ = idmap.run_inside(work, what="use an old kernel")
    assert sorted(found) == ["a", "a/b", "a/b/c", "a/d", "l"]


def test_whiteouts_without_device_files_are_read_back(store: Store) -> None:
    mknodat = {"x86_64": 259, "aarch64": 33}.get(os.uname().machine)
    if mknodat is None:
        pytest.skip("the number of mknodat is not known here")

    def work() -> Any:
        below = store.layers.path(
            unpack(store, layer_tar([Entry("d/gone", b"x"), Entry("d/kept")])).diff_id
        )
        refuse(mknodat, errno.EPERM)
        above = store.layers.path(
            unpack(store, layer_tar([Entry("d/.wh.gone"), Entry("d/new")])).diff_id
        )
        marks = overlayfs.marks_here()
        with merged.open_merged([above, below], marks) as root:
            return [path for path, _ in merged.walk(root)], _describe(above)["d/gone"]["kind"]

    seen, kind = idmap.run_inside(work, what="be without device files")
    assert seen == ["d", "d/kept", "d/new"]
    assert kind == "file"


def refuse(number: int, error: int) -> None:
    """From here on, this system call fails in this process and its children. See seccomp(2)."""
    load, equal, give = 0x20, 0x15, 0x06
    steps = (
        (load, 0, 0, 0),
        (equal, 0, 1, number),
        (give, 0, 0, 0x00050000 | error),
        (give, 0, 0, 0x7FFF0000),
    )
    program = b"".join(
        code.to_bytes(2, "little") + bytes((yes, no)) + value.to_bytes(4, "little")
        for code, yes, no, value in steps
    )
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.seccomp_set_filter(program)
