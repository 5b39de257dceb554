"""Is everything in the store what it should be? And what can be done where it is not."""

from __future__ import annotations

import os

from pod.base import files
from pod.base.errors import PodError
from pod.base.records import Record
from pod.spec.digest import algorithm_of, hex_of
from storage.blobs import READ_BYTES
from storage.directories import names
from storage.layers import NAME_LENGTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from storage.images import ImageRecord
    from storage.store import Store


class Problem(Record):
    """Something that is not as it should be. `kind` is one of those below, `subject` a digest, id or path."""

    kind: str
    subject: str
    what: str
    """A sentence for people, in lower case, without a full stop."""


INDEX = "damaged index"
IMAGE = "damaged image"
BLOB = "damaged blob"
LAYER = "missing layer"
CONTAINER = "damaged container"
COPY = "missing copy of a layer"  # for the container `subject`, whose id map is not the usual one
LEFTOVER = "leftover"


def find_problems(store: Store, *, quick: bool = False) -> Iterator[Problem]:
    """All problems of images, layers, containers, and what killed commands have left. `quick` reads no blobs."""
    try:
        images, damaged = store.images.list(), store.images.incomplete()
    except files.DamagedFile as error:
        yield Problem(INDEX, f"{store.images.directory}/index.json", error.message)
        return
    for digest, image_names in damaged:
        shown = ", ".join(image_names) or "without a name"
        yield Problem(
            IMAGE, digest, f"the manifest or configuration of image {shown} cannot be read"
        )
    checked: set[str] = set()
    for image in images:
        yield from _image_problems(store, image, checked, quick=quick)
    yield from _container_problems(store)
    yield from _leftovers(store)


def repair(store: Store, problems: Iterable[Problem]) -> list[Problem]:
    """Do what can be done; the problems that are left. Call with a single thread.

    Layers are unpacked again from their blobs, and copied again for other id maps. Damaged blobs are removed, and with
    them the images that need them, so that they can be pulled again. Leftovers are removed. A damaged index or
    container is left to a person.
    """
    found = list(problems)
    left = [problem for problem in found if problem.kind in {INDEX, CONTAINER}]
    bad_blobs = {problem.subject for problem in found if problem.kind == BLOB}
    bad_images = {problem.subject for problem in found if problem.kind == IMAGE}
    missing = {problem.subject for problem in found if problem.kind == LAYER}
    with store.lock():
        for diff_id in missing:
            store.layers.remove(diff_id)  # its record may be there
    for image in store.images.list():
        needed = {image.digest, image.id, *(layer.digest for layer in image.layers)}
        if needed & bad_blobs:
            bad_images.add(image.digest)
        elif missing.intersection(image.diff_ids):
            try:
                store.restore_layers(image)
            except PodError as error:
                left.append(Problem(LAYER, image.digest, error.message))
    left += _make_copies_again(store, [it for it in found if it.kind == COPY])
    for digest in bad_images:
        store.images.remove_manifest(digest)
    with store.lock():
        for digest in bad_blobs:
            store.blobs.remove(digest)
    store.delete_unreferenced()
    store.staging.sweep()
    store.staging.empty_trash()
    return left


def _make_copies_again(store: Store, problems: Iterable[Problem]) -> list[Problem]:
    """Copies of layers for containers that have lost them; the problems that are left."""
    left = []
    for problem in problems:
        directory = f"{store.root}/containers/{problem.subject}"
        try:
            for path in store.rootfs.layers(directory):
                if "." in os.path.basename(path) and not os.path.isdir(path):
                    store.layers.remove_form(os.path.basename(path))  # its record may be there
            store.rootfs.describe(directory)
        except PodError as error:
            left.append(problem.replace(what=f"{problem.what}: {error.message}"))
    return left


def _image_problems(
    store: Store, image: ImageRecord, checked: set[str], *, quick: bool
) -> Iterator[Problem]:
    shown = image.names[0] if image.names else image.id
    for digest in (image.digest, image.id, *(layer.digest for layer in image.layers)):
        if digest in checked:
            continue
        checked.add(digest)
        if not store.blobs.has(digest):
            yield Problem(BLOB, digest, f"blob '{digest}' of image '{shown}' is missing")
        elif not quick and _digest_on_disk(store, digest) != digest:
            yield Problem(BLOB, digest, f"blob '{digest}' of image '{shown}' has other content")
    for diff_id in image.diff_ids:
        if f"layer {diff_id}" in checked:  # that of a plain layer is also the digest of its blob
            continue
        checked.add(f"layer {diff_id}")
        if not store.layers.has(diff_id) or not os.path.isdir(store.layers.path(diff_id)):
            yield Problem(LAYER, diff_id, f"layer '{diff_id}' of image '{shown}' is missing")


def _container_problems(store: Store) -> Iterator[Problem]:
    present = {hex_of(record.diff_id)[:NAME_LENGTH] for record in store.layers.list()}
    present.update(store.layers.forms())
    containers = f"{store.root}/containers"
    for name in names(containers):
        directory = f"{containers}/{name}"
        if not os.path.exists(f"{directory}/rootfs.json"):
            continue  # it has no root file system of ours, or was being made: the database knows
        try:
            layers = store.rootfs.layers(directory)
        except (PodError, KeyError, TypeError):
            yield Problem(CONTAINER, name, f"what container '{name}' stands on cannot be read")
            continue
        copies = [path for path in layers if "." in os.path.basename(path)]
        if any(not os.path.isdir(it) or os.path.basename(it) not in present for it in copies):
            what = f"a layer that was copied for container '{name}' is missing"
            yield Problem(COPY, name, what)
        for layer in layers:
            if layer not in copies and os.path.basename(layer) not in present:
                what = f"container '{name}' stands on a layer that is missing"
                yield Problem(CONTAINER, name, what)
                break
        if not os.path.isdir(store.rootfs.changes(directory)):
            yield Problem(CONTAINER, name, f"what container '{name}' has written is missing")


def _leftovers(store: Store) -> Iterator[Problem]:
    garbage = store.garbage()
    for digest in garbage.blobs:
        yield Problem(LEFTOVER, digest, f"no image needs blob '{digest}'")
    for diff_id in garbage.layers:
        yield Problem(LEFTOVER, diff_id, f"no image or container needs layer '{diff_id}'")
    for form in garbage.forms:
        path = f"{store.layers.directory}/{form}"
        yield Problem(LEFTOVER, path, f"no image or container needs '{path}'")
    for path in garbage.debris:
        yield Problem(LEFTOVER, path, f"'{path}' is what a killed command has left")
    for path in (*store.staging.abandoned(), *store.staging.trash()):
        yield Problem(LEFTOVER, path, f"'{path}' was to be deleted")


def _digest_on_disk(store: Store, digest: str) -> str:
    import hashlib  # heavy

    algorithm = algorithm_of(digest)
    found = hashlib.new(algorithm)
    fd = store.blobs.open(digest)
    try:
        while chunk := os.read(fd, READ_BYTES):
            found.update(chunk)
    finally:
        os.close(fd)
    return f"{algorithm}:{found.hexdigest()}"
