"""Trees under construction and trees thrown away, with commands that are killed and commands at the same time."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest

from pod.base import files
from pod.linux import processes
from storage.directories import names
from storage.images import Layer
from storage.layers import LayerRecord
from storage.store import Store
from tests.integration.storage.conftest import digest_of, inside, kinds, unpack
from tests.support.layout import Entry, directory, layer_tar
from tests.support.leaks import WAIT_SECONDS
from tests.support.waiting import until

LAYER = layer_tar([directory("a"), Entry("a/b", b"x" * 300_000, uid=33)])


def test_a_staged_tree_gets_its_place(store: Store) -> None:
    tree = store.staging.create()
    with open(f"{tree.path}/file", "w") as file:
        file.write("x")
    tree.promote(f"{store.root}/some/where")
    assert os.listdir(f"{store.root}/some/where") == ["file"]
    assert names(f"{store.root}/staging") == []


@pytest.mark.parametrize("mode", [0o700, 0o555, 0o000])
@pytest.mark.parametrize("owner", [0, 33])
def test_trees_move_whoever_owns_them(store: Store, mode: int, owner: int) -> None:
    tree = store.staging.create()

    def own() -> None:
        os.mkdir(f"{tree.path}/sub", 0o700)
        os.chown(tree.path, owner, owner)
        os.chmod(tree.path, mode)

    inside(own)
    tree.promote(f"{store.root}/place")
    store.staging.discard(f"{store.root}/place")
    assert not os.path.lexists(f"{store.root}/place")
    store.staging.empty_trash()
    assert store.staging.trash() == []


def test_what_is_not_there_can_be_discarded(store: Store) -> None:
    store.staging.discard(f"{store.root}/nothing")
    store.staging.empty_trash()


def test_files_and_links_can_be_discarded(store: Store) -> None:
    os.symlink("/etc", f"{store.root}/link")
    with open(f"{store.root}/file", "w"):
        pass
    for name in ("link", "file"):
        store.staging.discard(f"{store.root}/{name}")
    store.staging.empty_trash()
    assert os.listdir("/etc") != []
    assert store.staging.trash() == []


def test_trash_is_emptied_behind_the_command(store: Store) -> None:
    for _ in range(3):
        tree = store.staging.create()
        inside(lambda tree=tree: os.chown(tree.path, 33, 33))
        tree.discard()
        store.staging.empty_trash_behind()
    until(lambda: store.staging.trash() == [], "the trash is empty", WAIT_SECONDS)


def test_several_commands_empty_the_trash_with_one_process_waiting(store: Store) -> None:
    os.makedirs(f"{store.root}/locks")
    held = os.open(f"{store.root}/locks/trash-working", os.O_RDWR | os.O_CREAT)
    import fcntl

    fcntl.flock(held, fcntl.LOCK_EX)
    for _ in range(5):
        store.staging.create().discard()
        store.staging.empty_trash_behind()
    assert len(store.staging.trash()) == 5
    fcntl.flock(held, fcntl.LOCK_UN)
    os.close(held)
    until(lambda: store.staging.trash() == [], "the trash is empty", WAIT_SECONDS)


def test_a_sweep_leaves_trees_of_the_living_alone(store: Store) -> None:
    mine = store.staging.create()
    killed_while(store, store.staging.create)
    assert len(names(f"{store.root}/staging")) == 4
    assert len(store.staging.sweep()) == 1
    assert sorted(names(f"{store.root}/staging")) == sorted(
        [os.path.basename(mine.path), os.path.basename(mine.path) + ".lock"]
    )
    mine.discard()


def killed_while(store: Store, begin: Any) -> None:
    """A command that does `begin`, and is killed with it under way."""
    ready, tell = os.pipe()

    def work() -> None:
        kept = begin()
        os.write(tell, b"x")
        signal.pause()
        assert kept

    child = processes.fork(work, what="be killed", keep={tell})
    os.close(tell)
    assert os.read(ready, 1) == b"x"
    os.close(ready)
    child.kill()


def test_a_command_killed_while_unpacking_leaves_only_staging(store: Store) -> None:
    def begin() -> Any:
        job = store.layers.unpack(diff_id=digest_of(LAYER))
        os.write(job.sink_fd, LAYER[:200_000])
        return job

    killed_while(store, begin)
    assert not store.layers.has(digest_of(LAYER))
    assert names(f"{store.root}/layers") == []
    store.staging.sweep()
    assert names(f"{store.root}/staging") == []
    store.staging.empty_trash()
    unpack(store, LAYER, diff_id=digest_of(LAYER))
    assert store.layers.has(digest_of(LAYER))


def test_a_child_of_an_unpacking_that_is_killed_is_an_error(store: Store) -> None:
    job = store.layers.unpack()
    assert job._child is not None
    os.kill(job._child.pid, signal.SIGKILL)
    with pytest.raises(Exception, match="ended with status 137"):
        job.finish()
    assert names(f"{store.root}/staging") == []


STEPS = ["the tree is promoted", "the record is written", "the name is set"]


@pytest.mark.parametrize("step", range(3), ids=STEPS)
def test_a_command_killed_between_the_steps_of_a_pull(store: Store, step: int) -> None:
    """After each step that changes something, everything works, and nothing half-made can be seen."""
    digest = digest_of(LAYER)
    config = b'{"rootfs":{"type":"layers","diff_ids":["%s"]}}' % digest.encode()

    def begin() -> bool:
        with store.blobs.receive(digest, len(LAYER)) as blob:
            blob.write(LAYER)
            blob.commit()
        tree = store.staging.create()
        if step == 0:
            tree.promote(store.layers.path(digest))
            return True
        store.layers.adopt(tree, LayerRecord(digest, size=1, entries=0))
        if step == 1:
            return True
        store.images.add_image(config, [Layer(digest, len(LAYER), "x")], name="localhost/x:1")
        return True

    killed_while(store, begin)
    assert store.layers.has(digest) == (step > 0)
    assert [image.names for image in store.images.list()] == [("localhost/x:1",)] * (step == 2)
    garbage = store.delete_unreferenced()
    assert (digest in garbage.blobs) == (step < 2)
    assert len(garbage.debris) == (step == 0)
    store.staging.sweep()
    store.staging.empty_trash()
    if step < 2:
        assert names(store.layers.directory) == []
        assert list(store.blobs.list()) == []
    unpack(store, LAYER, diff_id=digest)
    with store.blobs.receive(digest, len(LAYER)) as blob:
        if not blob.already_here:
            blob.write(LAYER)
            blob.commit()
    store.images.add_image(config, [Layer(digest, len(LAYER), "x")], name="localhost/x:1")
    if step < 2:
        assert kinds(store.layers.path(digest)) == {"a": "directory", "a/b": "file"}


def test_files_of_killed_writers_are_debris(store: Store) -> None:
    digest = store.blobs.add(b"data")
    gone = processes.fork(os.getpid, what="be gone").result()
    stale = [
        f"{store.blobs.path(digest)}.{gone}.tmp",
        f"{store.images.directory}/index.json.{gone}.tmp",
        f"{store.root}/storage.json.{gone}.tmp",
    ]
    alive = f"{store.blobs.path(digest)}.{os.getpid()}.tmp"
    for path in (*stale, alive):
        with open(path, "w"):
            pass
    assert sorted(store.delete_unreferenced().debris) == sorted(stale)
    assert [os.path.exists(path) for path in (*stale, alive)] == [False, False, False, True]
    store.staging.empty_trash()


def test_a_killed_holder_holds_nothing(store: Store) -> None:
    digest = store.blobs.add(b"data")

    def begin() -> Any:
        hold = store.hold([digest])
        hold.__enter__()
        return hold

    killed_while(store, begin)
    assert store.delete_unreferenced().blobs == (digest,)
    store.tidy()
    assert [name for name in names(f"{store.root}/locks") if name.startswith("hold-")] == []


def test_pulls_and_prunes_at_the_same_time_lose_nothing(store: Store) -> None:
    """Many commands make images of shared layers while others collect garbage."""
    archives = [layer_tar([Entry(f"layer{number}", b"x")]) for number in range(4)]
    digests = [digest_of(data) for data in archives]

    def pull(number: int) -> None:
        used = [digests[number % 4], digests[(number + 1) % 4]]
        with store.hold(digests):
            for digest in used:
                data = archives[digests.index(digest)]
                with store.blobs.receive(digest, len(data)) as blob:
                    if not blob.already_here:
                        blob.write(data)
                        blob.commit()
                if not store.layers.has(digest):
                    unpack(store, data, diff_id=digest)
            config = b'{"n":%d,"rootfs":{"diff_ids":["%s","%s"]}}' % (
                number,
                *map(str.encode, used),
            )
            layers = [Layer(digest, len(archives[digests.index(digest)]), "x") for digest in used]
            image = store.images.add_image(config, layers, name=f"localhost/x:{number}")
        if number % 2:
            store.images.remove_manifest(image.digest)

    def prune() -> None:
        for _ in range(5):
            store.delete_unreferenced()

    works = [*(lambda n=n: pull(n) for n in range(8)), prune, prune]
    children = [processes.fork(work, what="work") for work in works]
    for child in children:
        child.result()
    kept = {name for image in store.images.list() for name in image.names}
    assert kept == {f"localhost/x:{number}" for number in range(0, 8, 2)}
    for image in store.images.list():
        assert all(store.layers.has(diff_id) for diff_id in image.diff_ids)
        assert all(store.blobs.has(layer.digest) for layer in image.layers)
    store.delete_unreferenced()
    store.staging.empty_trash()
    until(lambda: store.staging.trash() == [], "the trash is empty", WAIT_SECONDS)


def test_commands_unpacking_the_same_layer_share_it(store: Store) -> None:
    children = [
        processes.fork(
            lambda: unpack(store, LAYER, diff_id=digest_of(LAYER)).entries, what="unpack"
        )
        for _ in range(4)
    ]
    assert [child.result() for child in children] == [2] * 4
    assert kinds(store.layers.path(digest_of(LAYER))) == {"a": "directory", "a/b": "file"}
    assert names(f"{store.root}/staging") == []
    store.staging.empty_trash()


def test_a_damaged_record_is_as_good_as_none(store: Store) -> None:
    record = unpack(store, LAYER)
    until(lambda: store.layers.record(record.diff_id).boot == "", "it is synced", WAIT_SECONDS)
    path = f"{store.layers.path(record.diff_id)}.json"
    files.write_atomic(path, b"")
    assert not store.layers.has(record.diff_id)
    unpack(store, LAYER)
    assert store.layers.has(record.diff_id)


def test_reading_goes_on_while_the_store_is_locked(store: Store) -> None:
    with store.lock():
        done = threading.Event()
        thread = threading.Thread(
            target=lambda: (list(store.images.list()), list(store.layers.list()), done.set())
        )
        thread.start()
        assert done.wait(60)
        thread.join()
