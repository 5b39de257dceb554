"""Lists of images: names, ids, content that changes, and what stays because a list refers to it."""

from __future__ import annotations

import hashlib
import json
import threading
from typing import Any

import pytest

from storage.images import ImageNotFound, ImageRecord, Layer
from storage.index import write
from storage.layers import LayerRecord
from storage.lists import ListRecord, NameInUse
from storage.store import Store

INDEX = "application/vnd.oci.image.index.v1+json"
NAME = "localhost/list:latest"


@pytest.fixture
def store(tmp_path: object) -> Store:
    return Store(f"{tmp_path}/root")


def put_image(store: Store, name: str | None, content: bytes) -> ImageRecord:
    digest = store.blobs.add(content)
    diff_id = "sha256:" + hashlib.sha256(b"tar of " + content).hexdigest()
    store.layers.adopt(store.staging.create(), LayerRecord(diff_id, size=1000, entries=1))
    config = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    }
    layer = Layer(digest, len(content), "application/vnd.oci.image.layer.v1.tar")
    return store.images.add_image(json.dumps(config).encode(), [layer], name=name)


def index_of(*images: ImageRecord) -> bytes:
    return json.dumps(
        {"schemaVersion": 2, "mediaType": INDEX, "manifests": [it.descriptor() for it in images]}
    ).encode()


def put_list(store: Store, name: str, *images: ImageRecord) -> ListRecord:
    return store.lists.create(name, index_of(*images), INDEX)


def test_list_is_no_image(store: Store) -> None:
    image = put_image(store, "localhost/one:latest", b"one")
    made = put_list(store, NAME, image)
    assert [it.names for it in store.images.list()] == [("localhost/one:latest",)]
    assert store.images.incomplete() == []
    assert [it.names for it in store.lists.list()] == [(NAME,)]
    assert store.lists.lookup(NAME) == store.lists.lookup(made.id[7:20]) == made
    assert store.lists.lookup(f"localhost/list@{made.digest}") == made
    with pytest.raises(ImageNotFound):
        store.lists.lookup("localhost/one:latest")
    with pytest.raises(ImageNotFound):
        store.images.lookup(NAME)
    found = store.images.find_named(["localhost/nothing:latest", NAME, "localhost/one:latest"])
    assert isinstance(found, ListRecord)


def test_name_stands_for_one_thing(store: Store) -> None:
    image = put_image(store, NAME, b"one")
    with pytest.raises(NameInUse):
        put_list(store, NAME, image)
    made = store.lists.create(NAME, index_of(image), INDEX, replace=True)
    assert store.images.lookup(image.digest).names == ()
    with pytest.raises(NameInUse):
        put_list(store, NAME)
    store.images.set_name(NAME, image.descriptor())
    assert store.images.lookup(NAME).digest == image.digest
    assert store.lists.lookup(made.id).names == ()
    store.lists.set_name(NAME, made.id)
    assert store.lists.lookup(NAME).id == made.id
    assert len(store.lists.list()) == 1
    store.images.remove_name(NAME)
    assert [it.names for it in store.lists.list()] == [()]


def test_change_keeps_id_and_all_names(store: Store) -> None:
    made = put_list(store, NAME)
    store.lists.set_name("localhost/other:1", made.id)

    def change(document: dict[str, Any], sources: dict[str, str]) -> dict[str, Any]:
        sources["sha256:" + "0" * 64] = "docker://example.com/x"
        return {**document, "annotations": {"a": "b"}}

    changed = store.lists.change(made.id, change)
    assert (changed.id, changed.names) == (made.id, (NAME, "localhost/other:1"))
    assert changed.digest != made.digest
    assert changed.document()["annotations"] == {"a": "b"}
    assert store.lists.lookup("localhost/other:1") == changed
    assert list(changed.sources.values()) == ["docker://example.com/x"]
    store.lists.remove(made.id)
    assert store.lists.list() == []
    with pytest.raises(ImageNotFound):
        store.lists.change(made.id, change)


def test_changes_at_once_are_all_kept(store: Store) -> None:
    made = put_list(store, NAME)

    def add(number: int) -> None:
        store.lists.change(
            made.id,
            lambda document, _: {
                **document,
                "manifests": [*document["manifests"], {"digest": f"sha256:{number:064}"}],
            },
        )

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.lists.lookup(NAME).members()) == 8


def test_what_a_list_refers_to_stays(store: Store) -> None:
    """Without names of its own, an image that is in a list is no image to see, and stays."""
    image, other = (
        put_image(store, "localhost/one:latest", b"one"),
        put_image(store, "localhost/two:latest", b"two"),
    )
    inner = store.blobs.add(index_of(image))
    entry = {"mediaType": INDEX, "digest": inner, "size": store.blobs.size(inner)}
    data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
    made = store.lists.create(NAME, data, INDEX)
    for it in (image, other):
        store.images.remove_manifest(it.digest)
    assert store.images.list() == []
    garbage = store.delete_unreferenced()
    assert set(garbage.blobs) == {other.digest, other.id, other.layers[0].digest}
    assert store.layers.has(image.diff_ids[0])
    assert (
        store.images.lookup(image.digest).id == store.images.lookup(image.id[7:19]).id == image.id
    )
    assert [it.id for it in store.lists.members_here()] == [image.id]
    store.lists.remove(made.id)
    assert set(store.delete_unreferenced().blobs) == {
        made.digest, inner, image.digest, image.id, image.layers[0].digest
    }  # fmt: skip
    with pytest.raises(ImageNotFound):
        store.images.lookup(image.digest)


@pytest.mark.parametrize(
    "manifests",
    [None, 7, "x", [7], [{}], [{"digest": 7}], [{"digest": "sha256:../../etc"}], {"a": 1}],
)
def test_odd_lists_of_others(store: Store, manifests: object) -> None:
    """Another tool may have put anything there; it has the digest as id."""
    data = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
    digest = store.blobs.add(data)
    write(
        store.images,
        [
            {
                "mediaType": INDEX,
                "digest": digest,
                "size": "many",
                "annotations": {"io.pod.list.id": 7},
            }
        ],
    )
    assert [it.id for it in store.lists.list()] == [digest]
    assert store.lists.lookup(digest).members() == []
    assert store.garbage().blobs == ()


def test_list_with_itself_in_it(store: Store) -> None:
    """It cannot be made with real digests; a list that is damaged, or deep, must not keep anybody busy."""
    digest = store.blobs.add(index_of())
    for _ in range(20):
        entry = {"mediaType": INDEX, "digest": digest}
        digest = store.blobs.add(json.dumps({"manifests": [entry, entry, entry]}).encode())
    write(store.images, [{"mediaType": INDEX, "digest": digest, "size": 1}])
    assert list(store.lists.members_here()) == []
    assert digest not in store.garbage().blobs
