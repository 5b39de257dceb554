"""A store on a real disk, and looking at trees as a container would see their owners."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Generator, Iterable
from typing import Any

import pytest

from pod.linux import idmap
from storage import removal
from storage.layers import LayerRecord
from storage.store import Store
from tests.support.layout import Entry, layer_tar


@pytest.fixture
def store(workspace: str) -> Generator[Store]:
    root = tempfile.mkdtemp(prefix="s-", dir=workspace)
    yield Store(root)
    removal.remove_tree(root)


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def unpack(store: Store, data: bytes, **options: Any) -> LayerRecord:
    """Unpack the bytes of a layer, written to a pipe as a pull does."""
    job = store.layers.unpack(**options)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(job.sink_fd, view[: 1 << 16]) :]
    except BrokenPipeError:
        pass  # `finish` says why
    return job.finish()


@pytest.fixture
def make_layer(store: Store) -> Callable[..., str]:
    """Unpack entries; the path of the layer's tree."""

    def make(*entries: Entry) -> str:
        return store.layers.path(unpack(store, layer_tar(entries)).diff_id)

    return make


def inside(function: Callable[[], Any]) -> Any:
    """The function's result as root of the id map."""
    return idmap.run_inside(function, what="look", namespaces=0)


def tree_of(path: str, only: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
    """Everything below `path`, as root of the id map sees it, by path."""
    found: dict[str, dict[str, Any]] = inside(lambda: _describe(path))
    return {name: found[name] for name in only} if only is not None else found


def _describe(top: str) -> dict[str, dict[str, Any]]:
    found = {}
    for directory, directories, names in os.walk(os.fsencode(top)):
        for name in [*directories, *names]:
            path = os.path.join(directory, name)
            found[os.fsdecode(os.path.relpath(path, os.fsencode(top)))] = _entry(path)
    return found


def _entry(path: bytes) -> dict[str, Any]:
    status = os.lstat(path)
    kind = stat.S_IFMT(status.st_mode)
    entry: dict[str, Any] = {
        "kind": {
            stat.S_IFDIR: "directory",
            stat.S_IFREG: "file",
            stat.S_IFLNK: "symlink",
            stat.S_IFIFO: "fifo",
            stat.S_IFCHR: "char",
        }[kind],
        "mode": stat.S_IMODE(status.st_mode),
        "owner": (status.st_uid, status.st_gid),
        "links": status.st_nlink,
        "inode": status.st_ino,
        "mtime_ns": status.st_mtime_ns,
        "size": status.st_size,
        "blocks": status.st_blocks,
        "device": status.st_rdev,
    }
    if kind == stat.S_IFREG:
        with open(path, "rb") as file:
            entry["content"] = file.read(1 << 20)
    if kind == stat.S_IFLNK:
        entry["target"] = os.fsdecode(os.readlink(path))
    if kind in {stat.S_IFREG, stat.S_IFDIR}:
        entry["xattrs"] = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    return entry


def kinds(path: str) -> dict[str, str]:
    return {name: entry["kind"] for name, entry in tree_of(path).items()}
