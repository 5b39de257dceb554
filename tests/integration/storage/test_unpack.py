"""Unpacking layers with everything that belongs to files, as an ordinary user."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
import zstandard

import storage.unpack
from pod.linux import idmap
from storage.directories import names
from storage.images import Layer
from storage.layers import (
    DiffIdMismatch,
    InvalidLayer,
    LayerError,
    LayerNotFound,
    LayerTooLarge,
)
from storage.store import Store
from storage.stream import Limits
from tests.integration.storage.conftest import digest_of, inside, kinds, tree_of, unpack
from tests.support.layout import EPOCH, Entry, directory, hardlink, layer_tar, symlink

Make = Callable[..., str]
NS = 1_000_000_000


def test_owners_modes_and_times_are_those_of_the_archive(make_layer: Make) -> None:
    tree = tree_of(
        make_layer(
            directory("etc", mode=0o2775, uid=5, gid=6),
            Entry(
                "etc/shadow", b"secret", mode=0o640, uid=0, gid=42, pax={"mtime": "1700000000.25"}
            ),
            Entry("etc/sudo", b"#!", mode=0o4711, uid=33, gid=44),
            directory("tmp", mode=0o1777),
            Entry("link", kind="symlink", target="etc/shadow", uid=7, gid=8),
            Entry("pipe", kind="fifo", mode=0o2600, uid=9, gid=10),
            Entry("none", b"", mode=0o000),
        )
    )
    seen = {name: (entry["mode"], entry["owner"]) for name, entry in tree.items()}
    assert seen == {
        "etc": (0o2775, (5, 6)),
        "etc/shadow": (0o640, (0, 42)),
        "etc/sudo": (0o4711, (33, 44)),
        "tmp": (0o1777, (0, 0)),
        "link": (0o777, (7, 8)),
        "pipe": (0o2600, (9, 10)),
        "none": (0o000, (0, 0)),
    }
    assert tree["etc/shadow"]["mtime_ns"] == EPOCH * NS + 250_000_000
    assert {entry["mtime_ns"] // NS for entry in tree.values()} == {EPOCH}
    assert tree["etc/shadow"]["content"] == b"secret"


def test_a_file_in_a_group_directory_has_the_group_of_the_archive(make_layer: Make) -> None:
    tree = tree_of(make_layer(directory("mail", mode=0o2775, gid=8), Entry("mail/root", b"x")))
    assert tree["mail/root"]["owner"] == (0, 0)
    assert tree["mail"]["mode"] == 0o2775


def test_files_belong_to_subordinate_ids_on_the_host(make_layer: Make) -> None:
    path = make_layer(Entry("root", b""), Entry("www", b"", uid=33, gid=33))
    uids, gids = idmap.default_maps()
    for name, expected in (("root", (0, 0)), ("www", (33, 33))):
        status = os.stat(f"{path}/{name}")
        assert (status.st_uid, status.st_gid) == (
            outside(uids, expected[0]),
            outside(gids, expected[1]),
        )


def outside(extents: Any, inner: int) -> int:
    return next(
        first + inner - start for start, first, count in extents if start <= inner < start + count
    )


def test_the_top_directory_is_as_its_entry_says(make_layer: Make) -> None:
    for name in ("./", ".", "/"):
        path = make_layer(
            Entry(name, kind="directory", mode=0o555, uid=3, gid=4),
            Entry(f"x{name[0] != '.'}", b""),
        )
        status = inside(lambda path=path: list(os.stat(path))[:10])
        assert (status[0] & 0o7777, status[4], status[5], status[8]) == (0o555, 3, 4, EPOCH)


def test_the_top_directory_has_the_usual_mode_without_an_entry(make_layer: Make) -> None:
    path = make_layer(Entry("x", b""))
    status = inside(lambda: list(os.stat(path)))
    assert (status[0] & 0o7777, status[4], status[5]) == (0o755, 0, 0)


def test_directories_that_the_archive_lacks_are_made(make_layer: Make) -> None:
    tree = tree_of(make_layer(Entry("usr/share/doc/readme", b"text")))
    assert (tree["usr/share"]["mode"], tree["usr/share"]["owner"]) == (0o755, (0, 0))


def test_times_of_directories_are_set_in_portions(
    make_layer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage.unpack, "_MOST_REMEMBERED", 1000)
    tree = tree_of(make_layer(*(directory(f"d{number}", mode=0o2755) for number in range(20))))
    assert {(entry["mtime_ns"], entry["mode"]) for entry in tree.values()} == {(EPOCH * NS, 0o2755)}


def test_a_directory_may_come_after_its_content(make_layer: Make) -> None:
    tree = tree_of(make_layer(Entry("d/file", b"x"), directory("d", mode=0o700, uid=3)))
    assert (tree["d"]["mode"], tree["d"]["owner"], tree["d"]["mtime_ns"]) == (
        0o700,
        (3, 0),
        EPOCH * NS,
    )
    assert tree["d/file"]["content"] == b"x"


def test_hard_links_are_one_file(make_layer: Make) -> None:
    tree = tree_of(
        make_layer(
            Entry("bin/one", b"program", mode=0o755),
            hardlink("bin/two", "bin/one"),
            hardlink("three", "/bin/../bin/two"),
            symlink("sym", "bin/one"),
            hardlink("hardsym", "sym"),
        )
    )
    assert len({tree[name]["inode"] for name in ("bin/one", "bin/two", "three")}) == 1
    assert tree["three"]["links"] == 3
    assert (tree["hardsym"]["kind"], tree["hardsym"]["target"]) == ("symlink", "bin/one")


def test_attributes_are_kept_but_for_those_that_mean_something_to_us(
    make_layer: Make, store: Store
) -> None:
    capability = bytes.fromhex("0100000200040000000000000000000000000000")  # net_raw, revision 2
    owned = bytes.fromhex(
        "010000030004000000000000000000000000000000000000"
    )  # the same with a root id
    data = layer_tar(
        [
            Entry("ping", b"x", xattrs={"security.capability": capability.decode("latin-1")}),
            Entry("pong", b"x", xattrs={"security.capability": owned.decode("latin-1")}),
            Entry("file", b"x", xattrs={"user.mime": "text", "user.empty": "", "user.\u00fc": "u"}),
            directory("dir"),
            Entry(
                "fake",
                kind="directory",
                xattrs={
                    "user.overlay.opaque": "y",
                    "user.overlay.redirect": "/etc",
                    "user.overlay.whiteout": "y",
                    "user.fuseoverlayfs.opaque": "y",
                    "user.containers.override_stat": "0:0:0777",
                    "user.pod.owner": "5:5:777",
                    "trusted.overlay.opaque": "y",
                    "security.selinux": "system_u",
                    "security.ima": "x",
                    "system.posix_acl_access": "x",
                    "USER.overlay.opaque": "y",
                    "nonsense": "x",
                },
            ),
        ]
    )
    record = unpack(store, data)
    tree = tree_of(store.layers.path(record.diff_id))
    assert tree["ping"]["xattrs"] == tree["pong"]["xattrs"] == {"security.capability": capability}
    assert tree["file"]["xattrs"] == {"user.mime": b"text", "user.empty": b"", "user.\u00fc": b"u"}
    assert tree["fake"]["xattrs"] == {}
    assert record.skipped_xattrs == 12


def test_names_need_not_be_utf_8(make_layer: Make) -> None:
    path = make_layer(Entry("\udcff\udcfe/\udc80", b"x"))
    assert kinds(path) == {"\udcff\udcfe": "directory", "\udcff\udcfe/\udc80": "file"}


def test_latin_1_names_keep_their_bytes(store: Store) -> None:
    data = io.BytesIO()
    with tarfile.open(
        fileobj=data, mode="w", format=tarfile.GNU_FORMAT, encoding="latin-1"
    ) as archive:
        archive.addfile(tarfile.TarInfo("gr\u00fcn"), io.BytesIO())
    path = store.layers.path(unpack(store, data.getvalue()).diff_id)
    assert os.listdir(os.fsencode(path)) == [b"gr\xfcn"]


def test_holes_stay_holes(store: Store, tmp_path: Any) -> None:
    with open(tmp_path / "sparse", "wb") as file:
        file.seek(100 << 20)
        file.write(b"end")
    for layout in ("gnu", "pax"):
        command = ["tar", "-cS", f"--format={layout}", "-C", str(tmp_path), "sparse"]
        data = subprocess.run(command, capture_output=True, check=True).stdout
        entry = tree_of(store.layers.path(unpack(store, data).diff_id))["sparse"]
        assert (entry["size"], entry["blocks"] < 100) == ((100 << 20) + 3, True)


def test_devices_are_left_out_and_counted(store: Store) -> None:
    if os.geteuid() == 0:
        pytest.skip("the real root makes them")
    record = unpack(
        store,
        layer_tar(
            [
                directory("dev"),
                Entry("dev/null", kind="char", device=(1, 3)),
                Entry("dev/sda", kind="block", device=(8, 0)),
                Entry("dev/zero-zero", kind="char", device=(0, 0)),
            ]
        ),
    )
    assert kinds(store.layers.path(record.diff_id)) == {"dev": "directory"}
    assert record.skipped_devices == 3


def test_set_id_files_cannot_be_reached_by_others(make_layer: Make) -> None:
    path = make_layer(Entry("su", b"x", mode=0o4755))
    assert os.stat(os.path.dirname(path)).st_mode & 0o077 == 0


# What lower layers have


def test_whiteouts_are_what_overlay_reads(make_layer: Make) -> None:
    tree = tree_of(make_layer(directory("etc"), Entry("etc/.wh.passwd"), Entry("usr/.wh.gone")))
    for name in ("etc/passwd", "usr/gone"):
        assert (tree[name]["kind"], tree[name]["device"]) == ("char", 0)
    assert not any(".wh." in name for name in tree)


def test_opaque_directories_are_what_overlay_reads(make_layer: Make) -> None:
    prefix = "trusted" if os.geteuid() == 0 else "user"
    for entries in (
        (directory("etc"), Entry("etc/.wh..wh..opq"), Entry("etc/new", b"x")),
        (Entry("etc/new", b"y"), Entry("etc/.wh..wh..opq")),
        (Entry("etc/.wh..wh..opq"), directory("etc"), Entry("etc/new", b"z")),
    ):
        tree = tree_of(make_layer(*entries))
        assert tree["etc"]["xattrs"] == {f"{prefix}.overlay.opaque": b"y"}
        assert sorted(tree) == ["etc", "etc/new"]


@pytest.mark.parametrize("whiteout_first", [True, False])
def test_a_whiteout_is_about_lower_layers_only(make_layer: Make, whiteout_first: bool) -> None:
    marks = [Entry(".wh.dir"), Entry(".wh.file")]
    content = [directory("dir"), Entry("dir/new", b"x"), Entry("file", b"x")]
    tree = tree_of(make_layer(*(marks + content if whiteout_first else content + marks)))
    assert {name: entry["kind"] for name, entry in tree.items()} == {
        "dir": "directory",
        "dir/new": "file",
        "file": "file",
    }
    assert list(tree["dir"]["xattrs"].values()) == [b"y"]  # what the lower layer has in it is gone


def test_bookkeeping_of_aufs_is_left_out(make_layer: Make) -> None:
    path = make_layer(
        Entry(".wh..wh.aufs"),
        directory(".wh..wh.plnk"),
        Entry(".wh..wh.plnk/1.2", b"x"),
        Entry("kept"),
    )
    assert kinds(path) == {"kept": "file"}


# Sources, digests, limits


LAYER = layer_tar([directory("a"), Entry("a/b", b"x" * 100_000)])


@pytest.mark.parametrize(
    "compress",
    [bytes, gzip.compress, zstandard.ZstdCompressor().compress],
    ids=["plain", "gzip", "zstd"],
)
def test_the_digest_of_the_uncompressed_layer_is_its_name(store: Store, compress: Any) -> None:
    record = unpack(store, compress(LAYER), diff_id=digest_of(LAYER))
    assert (record.diff_id, record.size, record.entries) == (digest_of(LAYER), len(LAYER), 2)
    assert store.layers.has(record.diff_id)
    assert store.layers.record(record.diff_id).replace(boot="") == record.replace(boot="")


def test_a_layer_may_come_from_a_range_of_a_file(store: Store, tmp_path: Any) -> None:
    (tmp_path / "archive").write_bytes(b"before" + LAYER + b"after")
    with open(tmp_path / "archive", "rb") as file:
        job = store.layers.unpack(
            file.fileno(), offset=6, size=len(LAYER), diff_id=digest_of(LAYER)
        )
    assert job.finish().entries == 2


def test_what_follows_the_archive_belongs_to_the_digest(store: Store) -> None:
    data = LAYER + b"trailing garbage" * 1000
    assert unpack(store, data).diff_id == digest_of(data)
    with pytest.raises(DiffIdMismatch):
        unpack(store, data, diff_id=digest_of(LAYER))


def nothing_is_left(store: Store) -> bool:
    return names(f"{store.root}/staging") + names(f"{store.root}/layers") == []


def test_other_content_than_announced_is_no_layer(store: Store) -> None:
    wanted = digest_of(b"something else")
    with pytest.raises(DiffIdMismatch, match=wanted):
        unpack(store, LAYER, diff_id=wanted)
    assert nothing_is_left(store)
    assert not store.layers.has(wanted)
    with pytest.raises(LayerNotFound):
        store.layers.record(wanted)


@pytest.mark.parametrize("length", [1, 300, 512 + 300, 2000, 60_000])
def test_a_truncated_layer_is_refused(store: Store, length: int) -> None:
    with pytest.raises(InvalidLayer):
        unpack(store, LAYER[:length])
    assert nothing_is_left(store)


def test_a_layer_that_ends_between_entries_has_another_digest(store: Store) -> None:
    with pytest.raises(DiffIdMismatch):
        unpack(store, LAYER[:512], diff_id=digest_of(LAYER))


def test_no_layer_is_larger_than_its_limit(store: Store) -> None:
    bomb = gzip.compress(layer_tar([Entry("zeros", bytes(30 << 20))]))
    with pytest.raises(LayerTooLarge, match="more than 1048576 bytes"):
        unpack(store, bomb, limits=Limits(max_bytes=1 << 20))
    with pytest.raises(LayerTooLarge, match="come out of"):
        unpack(store, bomb, limits=Limits(max_ratio=50, ratio_from=1 << 20))
    assert nothing_is_left(store)


def test_no_layer_has_more_entries_than_its_limit(store: Store) -> None:
    data = layer_tar([Entry(f"f{number}") for number in range(20)])
    with pytest.raises(LayerError, match="beyond 19 entries"):
        unpack(store, data, limits=Limits(max_entries=19))
    assert unpack(store, data, limits=Limits(max_entries=20)).entries == 20


def test_layers_are_unpacked_at_the_same_time(store: Store) -> None:
    archives = [layer_tar([Entry(f"layer{number}", b"x")]) for number in range(5)]
    jobs = [store.layers.unpack(diff_id=digest_of(data)) for data in archives]
    for job, data in zip(jobs, archives, strict=True):
        os.write(job.sink_fd, data)
    assert [record.diff_id for record in store.layers.finish(jobs)] == [*map(digest_of, archives)]
    assert len(list(store.layers.list())) == 5


def test_one_bad_layer_spoils_those_finished_with_it(store: Store) -> None:
    jobs = [store.layers.unpack(), store.layers.unpack(), store.layers.unpack()]
    for job, data in zip(jobs, (LAYER, b"nonsense" * 100, LAYER), strict=True):
        os.write(job.sink_fd, data[:1000] if data is LAYER else data)
        if data is LAYER:
            os.write(job.sink_fd, data[1000:])
    with pytest.raises(InvalidLayer):
        store.layers.finish(jobs)
    assert nothing_is_left(store)


def test_the_same_layer_twice_is_one(store: Store) -> None:
    jobs = [store.layers.unpack(), store.layers.unpack()]
    for job in jobs:
        os.write(job.sink_fd, LAYER[:50_000])
        os.write(job.sink_fd, LAYER[50_000:])
    first, second = (job.finish() for job in jobs)
    assert first.diff_id == second.diff_id
    assert len(list(store.layers.list())) == 1
    assert os.listdir(f"{store.root}/staging") == []


def test_an_aborted_layer_leaves_nothing(store: Store) -> None:
    job = store.layers.unpack()
    os.write(job.sink_fd, LAYER[:50_000])
    job.abort()
    job.abort()
    assert nothing_is_left(store)


def test_an_unreadable_tree_goes_to_the_trash_and_away(store: Store, make_layer: Make) -> None:
    data = layer_tar(
        [
            directory(".", mode=0o555, uid=3),
            directory("closed", mode=0),
            Entry("closed/file", b"x", uid=7),
        ]
    )
    record = unpack(store, data)
    store.layers.remove(record.diff_id)
    assert not os.path.lexists(store.layers.path(record.diff_id))
    store.staging.empty_trash()
    assert store.staging.trash() == []


def test_layers_come_back_from_their_blobs(store: Store) -> None:
    with store.blobs.new() as blob:
        blob.write(gzip.compress(LAYER))
        digest = blob.commit()
    unpack(store, LAYER)
    config = b'{"rootfs":{"type":"layers","diff_ids":["%s"]}}' % digest_of(LAYER).encode()
    image = store.images.add_image(
        config, [Layer(digest, blob.offset, "application/x")], name="localhost/x:1"
    )
    store.layers.remove(digest_of(LAYER))
    assert store.restore_layers(image) == 1
    assert store.restore_layers(image) == 0
    assert kinds(store.layers.path(digest_of(LAYER))) == {"a": "directory", "a/b": "file"}
