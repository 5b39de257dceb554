"""Names, ids, and what is garbage. Layers are stood in for by their records; unpacking them has its own tests."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pod.base import files
from pod.base.files import DamagedFile
from storage.facts import DamagedImage
from storage.images import (
    INDEX_DIGEST,
    AmbiguousId,
    ImageIncomplete,
    ImageNotFound,
    ImageRecord,
    Layer,
)
from storage.layers import LayerRecord, LayerStore
from storage.store import Store

NGINX = "docker.io/library/nginx:latest"


@pytest.fixture
def store(tmp_path: object) -> Store:
    return Store(f"{tmp_path}/root")


def put_layer(store: Store, content: bytes) -> tuple[Layer, str]:
    """A layer's blob, and a tree for it."""
    digest = store.blobs.add(content)
    diff_id = "sha256:" + hashlib.sha256(b"tar of " + content).hexdigest()
    tree = store.staging.create()
    store.layers.adopt(tree, LayerRecord(diff_id, size=1000, entries=1))
    return Layer(digest, len(content), "application/vnd.oci.image.layer.v1.tar"), diff_id


def put_image(
    store: Store, name: str | None = None, layers: Iterable[bytes] = (b"base",), **config: Any
) -> ImageRecord:
    made = [put_layer(store, content) for content in layers]
    document = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": [diff_id for _, diff_id in made]},
        **config,
    }
    return store.images.add_image(
        json.dumps(document).encode(), [layer for layer, _ in made], name=name
    )


def descriptor(image: ImageRecord) -> dict[str, Any]:
    return image.descriptor()


def test_an_empty_store_is_no_error_and_makes_nothing(store: Store) -> None:
    assert list(store.images.list()) == []
    assert not os.path.exists(store.root)
    with pytest.raises(ImageNotFound, match=NGINX):
        store.images.lookup(NGINX)


def test_an_image_is_found_by_name_id_digest_and_prefix(store: Store) -> None:
    image = put_image(store, NGINX, created="2024-01-02T03:04:05Z", variant="v8")
    for wanted in (
        NGINX,
        image.id,
        image.id[7:],
        image.id[7:19],
        image.digest,
        f"sha256:{image.id[7:20]}",
    ):
        assert store.images.lookup(wanted) == image, wanted
    assert image.names == (NGINX,)
    assert (image.created, image.platform) == ("2024-01-02T03:04:05Z", "linux/amd64/v8")
    assert image.size == 1000 + len(store.blobs.read(image.id))
    assert image.compressed_size == 4
    assert image.config()["architecture"] == "amd64"
    assert image.manifest()["config"]["digest"] == image.id


@pytest.mark.parametrize(
    "wanted", ["", "zz", "ab", "docker.io/library/nginx:1", "sha256:", "0" * 65]
)
def test_what_is_no_name_and_no_id_is_not_found(store: Store, wanted: str) -> None:
    put_image(store, NGINX)
    with pytest.raises(ImageNotFound):
        store.images.lookup(wanted)


def test_a_prefix_of_two_ids_is_ambiguous(store: Store) -> None:
    ids = {put_image(store, f"localhost/i:{number}", number=number).id for number in range(100)}
    by_prefix: dict[str, set[str]] = {}
    for image_id in ids:
        by_prefix.setdefault(image_id[7:10], set()).add(image_id)
    prefix = next((key for key, found in by_prefix.items() if len(found) > 1), None)
    assert prefix is not None, "100 ids have two that begin with the same three digits"
    with pytest.raises(AmbiguousId) as caught:
        store.images.lookup(prefix)
    assert all(image_id[7:19] in (caught.value.hint or "") for image_id in by_prefix[prefix])


def test_a_digest_finds_an_image_of_that_repository_only(store: Store) -> None:
    image = put_image(store, NGINX)
    assert store.images.lookup(f"docker.io/library/nginx@{image.digest}") == image
    assert store.images.lookup(f"{NGINX}@{image.digest}") == image
    for repository in ("docker.io/library/redis", "localhost:5000/nginx", "nginx"):
        with pytest.raises(ImageNotFound):
            store.images.lookup(f"{repository}@{image.digest}")


def test_the_digest_of_the_index_is_remembered(store: Store) -> None:
    index = "sha256:" + "a" * 64
    image = put_image(store)
    store.images.set_name("localhost:5000/nginx:1", descriptor(image), index_digest=index)
    found = store.images.lookup(f"localhost:5000/nginx@{index}")
    assert (found.digest, found.index_digests) == (image.digest, (index,))
    entry = files.read_json(f"{store.images.directory}/index.json")["manifests"][0]
    assert entry["annotations"][INDEX_DIGEST] == index


def test_a_name_moves_and_the_old_image_stays_without_one(store: Store) -> None:
    old, new = put_image(store, NGINX, version=1), put_image(store, version=2)
    store.images.set_name(NGINX, descriptor(new))
    assert store.images.lookup(NGINX).id == new.id
    assert store.images.lookup(old.id).names == ()
    assert len(store.images.list()) == 2


def test_an_image_has_as_many_names_as_it_is_given(store: Store) -> None:
    image = put_image(store, NGINX)
    store.images.set_name("localhost/web:1", descriptor(image))
    store.images.set_name("localhost/web:1", descriptor(image))
    assert [found.names for found in store.images.list()] == [(NGINX, "localhost/web:1")]
    store.images.remove_name(NGINX)
    assert store.images.lookup(image.id).names == ("localhost/web:1",)
    store.images.remove_name("localhost/web:1")
    assert store.images.lookup(image.id).names == ()
    store.images.set_name(NGINX, descriptor(image))
    assert [found.names for found in store.images.list()] == [(NGINX,)]


def with_other_manifest(store: Store, image: ImageRecord, name: str) -> ImageRecord:
    """The same image, by a manifest with an annotation more."""
    return store.images.add_image(
        store.blobs.read(image.id), image.layers, name=name, annotations={"by": "another engine"}
    )


def test_the_old_manifest_of_an_image_goes_with_its_last_name(store: Store) -> None:
    old = put_image(store, NGINX)
    new = with_other_manifest(store, old, NGINX)
    assert (old.id, old.digest == new.digest) == (new.id, False)
    assert [image.digest for image in store.images.list()] == [new.digest]
    assert store.garbage().blobs == (old.digest,)


def test_both_manifests_of_an_image_stay_while_both_have_names(store: Store) -> None:
    old = put_image(store, NGINX)
    new = with_other_manifest(store, old, "localhost/other:latest")
    assert {image.digest for image in store.images.list()} == {old.digest, new.digest}
    store.images.remove_name("localhost/other:latest")
    assert [image.digest for image in store.images.list()] == [old.digest]
    store.images.remove_name(NGINX)
    assert [(image.digest, image.names) for image in store.images.list()] == [(old.digest, ())]


def test_the_first_name_that_exists_is_found(store: Store) -> None:
    image = put_image(store, NGINX)
    assert store.images.find_named(["localhost/nginx:latest", NGINX]) == image
    assert store.images.find_named(["localhost/nginx:latest", image.id]) is None


def test_removing_what_is_not_there_is_an_error(store: Store) -> None:
    image = put_image(store, NGINX)
    with pytest.raises(ImageNotFound):
        store.images.remove_name("localhost/other:1")
    store.images.remove_manifest(image.digest)
    with pytest.raises(ImageNotFound):
        store.images.remove_manifest(image.digest)
    assert list(store.images.list()) == []


def test_a_name_is_not_given_to_what_is_incomplete(store: Store) -> None:
    image = put_image(store, NGINX)
    for remove in (
        lambda: store.blobs.remove(image.layers[0].digest),
        lambda: store.layers.remove(image.diff_ids[0]),
        lambda: store.blobs.remove(image.id),
        lambda: store.blobs.remove(image.digest),
    ):
        remove()
        with pytest.raises(ImageIncomplete) as caught:
            store.images.set_name("localhost/x:1", descriptor(image))
        assert caught.value.missing
    assert "localhost/x:1" not in json.dumps(
        files.read_json(f"{store.images.directory}/index.json")
    )


def test_the_layout_is_one_that_others_can_read(store: Store) -> None:
    image = put_image(store, NGINX)
    directory = store.images.directory
    assert files.read_json(f"{directory}/oci-layout") == {"imageLayoutVersion": "1.0.0"}
    index = files.read_json(f"{directory}/index.json")
    assert index["schemaVersion"] == 2
    assert index["manifests"] == [
        {**descriptor(image), "annotations": {"org.opencontainers.image.ref.name": NGINX}}
    ]
    assert os.path.getsize(f"{directory}/blobs/sha256/{image.digest[7:]}") == image.manifest_size


def test_facts_can_be_thrown_away_or_be_nonsense(store: Store) -> None:
    image = put_image(store, NGINX)
    path = f"{store.images.directory}/facts.json"
    assert list(store.images.list()) == [image]
    os.unlink(path)
    assert list(store.images.list()) == [image]
    assert os.path.exists(path)
    for nonsense in (
        b"",
        b"{",
        b"[]",
        b'{"version":1,"facts":[]}',
        b'{"version":0}',
        b'{"version":1}',
        b"\xff",
    ):
        with open(path, "wb") as file:
            file.write(nonsense)
        assert list(store.images.list()) == [image]
        assert store.images.lookup(NGINX) == image


def test_facts_answer_without_reading_manifests(store: Store) -> None:
    image = put_image(store, NGINX)
    assert list(store.images.list()) == [image]
    os.rename(store.blobs.path(image.digest), store.blobs.path(image.digest) + ".away")
    assert list(store.images.list()) == [image]


def test_a_damaged_image_does_not_hide_the_others(store: Store) -> None:
    good, bad = put_image(store, NGINX), put_image(store, "localhost/bad:1", broken=True)
    with open(store.blobs.path(bad.id), "wb") as file:
        file.write(b"{}")
    os.unlink(f"{store.images.directory}/facts.json")
    assert list(store.images.list()) == [good]
    assert store.images.incomplete() == [(bad.digest, ("localhost/bad:1",))]


@pytest.mark.parametrize(
    "config",
    [
        b"[]",
        b"{}",
        b"nonsense",
        b'{"rootfs":{}}',
        b'{"rootfs":{"diff_ids":7}}',
        b'{"rootfs":{"diff_ids":"abc"}}',
        b'{"rootfs":{"diff_ids":["../.."]}}',
        b'{"rootfs":{"diff_ids":[]}}',
    ],
)
def test_a_configuration_that_is_none_is_damage(store: Store, config: bytes) -> None:
    layer, _ = put_layer(store, b"base")
    with pytest.raises(DamagedImage):
        store.images.add_image(config, [layer], name=NGINX)


def test_an_index_that_is_none_is_damage(store: Store) -> None:
    put_image(store, NGINX)
    with open(f"{store.images.directory}/index.json", "wb") as file:
        file.write(b"[1,2")
    with pytest.raises(DamagedFile):
        store.images.list()


def test_foreign_entries_of_the_index_are_left_out(store: Store) -> None:
    image = put_image(store, NGINX)
    path = f"{store.images.directory}/index.json"
    index = files.read_json(path)
    index["manifests"] += [7, {"digest": "sha256:../../etc"}, {"digest": None}, {}]
    index["manifests"].append({**descriptor(image), "annotations": "none"})
    files.write_json(path, index)
    assert list(store.images.list()) == [image]


def test_readers_need_no_lock(store: Store) -> None:
    image = put_image(store, NGINX)
    with store.lock():
        found: list[ImageRecord] = []
        thread = threading.Thread(target=lambda: found.append(store.images.lookup(NGINX)))
        thread.start()
        thread.join(60)
        assert found == [image]


def test_names_given_at_once_are_all_there(store: Store) -> None:
    image = put_image(store, NGINX)
    names = [f"localhost/web:{number}" for number in range(20)]
    threads = [
        threading.Thread(target=store.images.set_name, args=(name, descriptor(image)))
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(store.images.lookup(NGINX).names) == sorted([NGINX, *names])


# What is garbage


def blobs_of(image: ImageRecord) -> set[str]:
    return {image.digest, image.id, *(layer.digest for layer in image.layers)}


def test_what_images_share_stays_while_one_of_them_does(store: Store) -> None:
    one = put_image(store, "localhost/one:1", [b"base", b"one"])
    two = put_image(store, "localhost/two:1", [b"base", b"two"])
    assert store.garbage().blobs == store.garbage().layers == ()
    store.images.remove_manifest(one.digest)
    garbage = store.delete_unreferenced()
    assert set(garbage.blobs) == blobs_of(one) - blobs_of(two)
    assert garbage.layers == (one.diff_ids[1],)
    assert set(store.blobs.list()) == blobs_of(two)
    assert store.images.lookup("localhost/two:1") == two
    assert garbage.bytes == sum(size for size in (one.manifest_size, one.size - 2000, len(b"one")))
    store.images.remove_manifest(two.digest)
    store.delete_unreferenced()
    assert (list(store.blobs.list()), list(store.layers.list())) == ([], [])
    assert len(store.staging.trash()) == 4  # three layers, and a second tree of the base


def test_an_untagged_image_is_no_garbage(store: Store) -> None:
    image = put_image(store, NGINX)
    store.images.remove_name(NGINX)
    assert store.delete_unreferenced().blobs == ()
    assert store.images.lookup(image.id).id == image.id


def test_what_a_container_stands_on_stays(store: Store) -> None:
    image = put_image(store, NGINX)
    directory = f"{store.root}/containers/abc"
    os.makedirs(directory)
    store.rootfs.create(directory, image.diff_ids)
    store.images.remove_manifest(image.digest)
    garbage = store.delete_unreferenced()
    assert (set(garbage.blobs), garbage.layers) == (blobs_of(image), ())
    assert store.layers.has(image.diff_ids[0])
    store.staging.discard(directory)
    assert store.delete_unreferenced().layers == image.diff_ids


def test_what_a_running_command_holds_stays_until_its_end(store: Store) -> None:
    layer, diff_id = put_layer(store, b"new")
    with store.hold([layer.digest]) as hold:
        hold.add(diff_id)
        assert store.delete_unreferenced() == store.garbage()
        assert (store.blobs.has(layer.digest), store.layers.has(diff_id)) == (True, True)
    assert store.delete_unreferenced().blobs == (layer.digest,)
    assert not store.layers.has(diff_id)


def test_layers_without_a_record_are_debris(store: Store) -> None:
    _, diff_id = put_layer(store, b"base")
    with store.hold([diff_id]):
        os.mkdir(f"{store.layers.directory}/{'0' * 32}")
        with open(f"{store.layers.directory}/{'1' * 32}.json", "w") as file:
            file.write("{")
        garbage = store.delete_unreferenced()
        assert [os.path.basename(path) for path in garbage.debris] == ["0" * 32, "1" * 32 + ".json"]
        names = os.listdir(store.layers.directory)
    assert sorted(names) == sorted([diff_id[7:39], diff_id[7:39] + ".json"])


@pytest.mark.parametrize("part", ["layers", "steps"])
def test_a_record_that_is_being_written_is_no_debris(store: Store, part: str) -> None:
    """But what a killed process had begun is."""
    directory = getattr(store, part).directory
    os.makedirs(directory, exist_ok=True)
    for pid in (os.getpid(), 1 << 30):
        Path(f"{directory}/{'1' * 32}.json.{pid}.tmp").touch()
    assert getattr(store, part).debris() == [f"{directory}/{'1' * 32}.json.{1 << 30}.tmp"]


def test_a_layer_of_an_earlier_boot_counts_only_when_it_was_synced(store: Store) -> None:
    _, diff_id = put_layer(store, b"base")
    record_path = f"{store.layers.path(diff_id)}.json"
    assert store.layers.record(diff_id).boot
    store.layers.settle()
    assert store.layers.record(diff_id).boot == ""
    assert store.layers.has(diff_id)
    files.write_json(record_path, {**files.read_json(record_path), "boot": "another"})
    assert not store.layers.has(diff_id)
    assert list(store.layers.list()) == []
    put_layer(store, b"base")
    assert store.layers.has(diff_id)


def test_a_layer_is_found_by_its_whole_diff_id(store: Store) -> None:
    _, diff_id = put_layer(store, b"base")
    assert isinstance(store.layers, LayerStore)
    other = diff_id[:39] + ("0" if diff_id[39] != "0" else "1") + diff_id[40:]
    assert not store.layers.has(other)
