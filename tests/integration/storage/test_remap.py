"""Layers once more for another id map: everything but the owners is as it was."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest

from pod.base import files
from pod.linux import idmap
from pod.spec.userns_maps import effective_maps
from pod.spec.userns_option import parse_userns
from storage import mapped
from storage.store import Store
from tests.integration.storage.conftest import inside, tree_of, unpack
from tests.support.layout import Entry, directory, hardlink, layer_tar, symlink

CAPABILITY = "\x01\x00\x00\x02\x00\x20\x00\x00" + "\x00" * 12  # revision 2, effective, cap_net_raw
LAYER = (
    directory("./", mode=0o711),
    directory("srv", mode=0o2750, uid=33, gid=33),
    Entry("srv/file", b"content", mode=0o4755, uid=33, gid=5, xattrs={"user.note": "x"}),
    hardlink("srv/link", "srv/file"),
    symlink("srv/symlink", "file"),
    Entry("srv/of-root", b"x"),
    directory("deep/deeper", mode=0o700),
    Entry("deep/deeper/file", b"y", uid=33),
    directory("of-root"),
    Entry("of-root/file", b"z"),
    Entry("fifo", kind="fifo", mode=0o622),
    Entry("sparse", b"\0" * 100_000),
    Entry(".wh.gone"),
    directory("opaque", uid=33, gid=33),
    Entry("opaque/.wh..wh..opq"),
)


def maps(userns: str) -> Any:
    return effective_maps(parse_userns(userns), idmap.default_maps(), (os.geteuid(), os.getegid()))


@pytest.fixture
def make(store: Store) -> Callable[[str], list[str]]:
    """The directories of LAYER under a map, topmost first."""
    diff_id = unpack(store, layer_tar(LAYER)).diff_id

    def under(userns: str) -> list[str]:
        names = mapped.lowers(store, [diff_id], maps(userns))
        return [f"{store.layers.directory}/{name}" for name in names]

    return under


def without(entry: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in {"inode", "blocks", *names}}


def test_shifted_layer_differs_in_its_owners_alone(
    store: Store, make: Callable[[str], list[str]]
) -> None:
    (plain,) = make("host")
    (shifted,) = make("nomap")
    before, after = tree_of(plain), tree_of(shifted)
    assert before.keys() == after.keys()
    for name, entry in before.items():
        assert without(after[name], "owner") == without(entry, "owner"), name
        assert after[name]["owner"] == tuple(number + 1 for number in entry["owner"]), name
    top = inside(lambda: (os.stat(shifted).st_mode & 0o7777, os.stat(shifted).st_uid))
    assert top == (0o711, 1)
    assert after["srv/file"]["inode"] == after["srv/link"]["inode"]


def test_thin_layer_has_what_is_moved_and_the_way_there(
    store: Store, make: Callable[[str], list[str]]
) -> None:
    thin, shifted = make("keep-id:uid=33,gid=33")
    found, base = tree_of(thin), tree_of(shifted)
    assert sorted(found) == [
        *("deep", "deep/deeper", "deep/deeper/file", "opaque"),
        *("srv", "srv/file", "srv/link"),
    ]
    owners = {name: entry["owner"] for name, entry in found.items()}
    assert owners["srv"] == (0, 0)
    assert owners["srv/file"] == (0, 6)
    assert owners["deep"] == owners["deep/deeper"] == (1, 1)
    assert owners["deep/deeper/file"] == (0, 1)
    for name, entry in found.items():
        assert without(entry, "owner", "links", "size", "xattrs") == without(
            base[name], "owner", "links", "size", "xattrs"
        ), name
    assert found["srv/file"]["xattrs"] == {"user.note": b"x"}
    # What the directory below hides, it hides; the same mark above it would hide that very directory.
    assert any(name.endswith("opaque") for name in base["opaque"]["xattrs"])
    assert not found["opaque"]["xattrs"]


def test_file_capabilities_are_for_the_root_of_the_container(store: Store) -> None:
    entry = Entry("ping", b"x", mode=0o755, xattrs={"security.capability": CAPABILITY})
    diff_id = unpack(store, layer_tar([entry])).diff_id
    (name,) = mapped.lowers(store, [diff_id], maps("nomap"))
    path = f"{store.layers.directory}/{name}/ping"
    value = inside(lambda: os.getxattr(path, "security.capability"))
    assert value[:4] == b"\x01\x00\x00\x03"
    assert value[20:] == (1).to_bytes(4, "little")


def test_a_map_that_moves_nobody_of_a_layer_needs_no_layer_of_its_own(store: Store) -> None:
    diff_id = unpack(store, layer_tar([Entry("file", b"x", uid=7)])).diff_id
    first = mapped.lowers(store, [diff_id], maps("keep-id:uid=1234,gid=1234"))
    assert first == mapped.lowers(store, [diff_id], maps("keep-id:uid=4321,gid=4321"))
    assert len(first) == 1


def test_record_without_owners_is_looked_up(store: Store) -> None:
    record = unpack(store, layer_tar(LAYER))
    assert (record.uids, record.gids) == ((0, 33), (0, 5, 33))
    assert store.layers.owners(record.replace(uids=(), gids=())) == ((0, 33), (0, 5, 33))


def test_copies_are_synced_behind_and_forgotten_with_their_layer(store: Store) -> None:
    diff_id = unpack(store, layer_tar(LAYER)).diff_id
    (name,) = mapped.lowers(store, [diff_id], maps("nomap"))
    store.layers.settle()
    assert store.layers.forms() == {name: diff_id}
    record = files.read_json(f"{store.layers.directory}/{name}.json")
    assert record == {"diff_id": diff_id, "boot": ""}
    assert store.garbage().forms == (name,)
    store.delete_unreferenced()
    assert store.layers.forms() == {}
    assert store.layers.debris() == []
    store.staging.empty_trash()


@pytest.mark.parametrize("userns", ["keep-id:uid=33,gid=33", "nomap"])
@pytest.mark.parametrize("driver", ["overlay", "copy"])
def test_layers_of_containers_have_the_owners_that_the_container_sees(
    store: Store, userns: str, driver: str
) -> None:
    store.forced_driver = driver
    diff_id = unpack(store, layer_tar(LAYER)).diff_id
    directory_ = f"{store.root}/containers/one"
    os.makedirs(directory_)
    store.rootfs.create(directory_, [diff_id], maps=maps(userns))
    assert list(store.rootfs.diff(directory_)) == []
    top = store.rootfs.changes(directory_)
    (uids, gids), bases = maps(userns), idmap.default_maps()
    outside = [
        mapped.Shift(ids, base).wanted(33) for ids, base in zip((uids, gids), bases, strict=True)
    ]

    def write() -> None:
        with open(f"{top}/new", "w") as file:
            os.fchown(file.fileno(), *outside)
        root = mapped.Shift(uids, bases[0]).wanted(0)
        with open(f"{top}/of-root-too", "w") as file:
            os.fchown(file.fileno(), root, root)

    inside(write)
    assert [path for _, path in store.rootfs.diff(directory_)] == ["/new", "/of-root-too"]
    made = store.layers.path(store.commit(directory_).diff_id)
    found = tree_of(made)
    assert {name: entry["owner"] for name, entry in found.items()} == {
        "new": (33, 33),
        "of-root-too": (0, 0),
    }
