"""`find_problems` sees what is wrong, and `repair` mends what can be mended."""

from __future__ import annotations

import gzip
import os

import pytest

from pod.base import files
from storage import check
from storage.images import ImageRecord, Layer
from storage.store import Store
from tests.integration.storage.conftest import digest_of, kinds, unpack
from tests.support.layout import Entry, layer_tar

ARCHIVE = layer_tar([Entry("file", b"content")])
NAME = "localhost/x:1"


@pytest.fixture
def image(store: Store) -> ImageRecord:
    with store.blobs.new() as blob:
        blob.write(gzip.compress(ARCHIVE, mtime=0))
        digest = blob.commit()
    unpack(store, ARCHIVE)
    config = b'{"rootfs":{"diff_ids":["%s"]}}' % digest_of(ARCHIVE).encode()
    return store.images.add_image(config, [Layer(digest, blob.offset, "x")], name=NAME)


@pytest.fixture
def container(store: Store, image: ImageRecord) -> str:
    directory = f"{store.root}/containers/abc"
    os.makedirs(directory)
    store.rootfs.create(directory, image.diff_ids)
    return directory


def problems(store: Store, *, quick: bool = False) -> set[tuple[str, str]]:
    return {(problem.kind, problem.subject) for problem in check.find_problems(store, quick=quick)}


def overwrite(store: Store, digest: str) -> None:
    with open(store.blobs.path(digest), "r+b") as file:
        file.write(b"XX")


def test_a_good_store_has_no_problems(store: Store, image: ImageRecord, container: str) -> None:
    assert problems(store) == set()
    assert check.repair(store, []) == []
    assert store.images.lookup(NAME) == image


def test_a_missing_layer_is_unpacked_again(store: Store, image: ImageRecord) -> None:
    store.layers.remove(image.diff_ids[0])
    store.staging.empty_trash()
    assert problems(store) == {(check.LAYER, image.diff_ids[0])}
    assert check.repair(store, check.find_problems(store)) == []
    assert kinds(store.layers.path(image.diff_ids[0])) == {"file": "file"}
    assert problems(store) == set()


def test_a_damaged_layer_blob_takes_its_image_away(store: Store, image: ImageRecord) -> None:
    overwrite(store, image.layers[0].digest)
    assert problems(store, quick=True) == set()
    assert problems(store) == {(check.BLOB, image.layers[0].digest)}
    assert check.repair(store, check.find_problems(store)) == []
    assert list(store.images.list()) == []
    assert problems(store) == set()


def test_a_missing_blob_takes_its_image_away(store: Store, image: ImageRecord) -> None:
    store.blobs.remove(image.layers[0].digest)
    assert problems(store, quick=True) == {(check.BLOB, image.layers[0].digest)}
    check.repair(store, check.find_problems(store))
    assert problems(store) == set()


def test_a_damaged_manifest_takes_its_image_away(store: Store, image: ImageRecord) -> None:
    overwrite(store, image.digest)
    os.unlink(f"{store.images.directory}/facts.json")
    found = problems(store)
    assert (check.IMAGE, image.digest) in found
    check.repair(store, check.find_problems(store))
    assert problems(store) == set()


def test_leftovers_are_removed(store: Store, image: ImageRecord) -> None:
    stray = store.blobs.add(b"stray")
    tree = store.staging.create()
    tree._lock.release()  # as when its builder is killed
    os.makedirs(f"{store.layers.directory}/{'0' * 32}")
    store.staging.create().discard()
    assert {kind for kind, _ in problems(store)} == {check.LEFTOVER}
    subjects = {subject for _, subject in problems(store)}
    assert {stray, tree.path, f"{store.layers.directory}/{'0' * 32}"} < subjects
    assert len(subjects) == 4
    assert check.repair(store, check.find_problems(store)) == []
    assert problems(store) == set()
    assert store.images.lookup(NAME) == image


def test_a_container_without_its_layers_is_left_to_a_person(
    store: Store, image: ImageRecord, container: str
) -> None:
    files.write_json(f"{container}/rootfs.json", {"driver": "overlay", "layers": ["0" * 32]})
    assert (check.CONTAINER, "abc") in problems(store)
    left = check.repair(store, check.find_problems(store))
    assert [problem.kind for problem in left] == [check.CONTAINER]


def test_a_container_that_lost_its_files_is_named(store: Store, container: str) -> None:
    store.staging.discard(store.rootfs.changes(container))
    store.staging.empty_trash()
    [problem] = check.find_problems(store)
    assert problem.what == "what container 'abc' has written is missing"


def test_a_damaged_index_stops_the_search(store: Store, image: ImageRecord) -> None:
    with open(f"{store.images.directory}/index.json", "wb") as file:
        file.write(b"{")
    [problem] = check.find_problems(store)
    assert problem.kind == check.INDEX
    assert store.blobs.has(image.digest)
