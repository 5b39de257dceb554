"""What may go: blobs and layers that no image, no container and no running command needs.

Images are the entries of the index. A container says which layers it stands on in its `rootfs.json`, and a command that
is about to make an image says so with a Hold, so that neither needs the database here.
"""

from __future__ import annotations

import os

from pod.base import faults, files, locks
from pod.base.errors import PodError
from pod.base.records import Record
from pod.spec.digest import hex_of
from storage.directories import names, stale_temporaries
from storage.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from storage.store import Store


_HOLD_PREFIX = "hold-"


class Garbage(Record):
    """Blobs by digest, layers by diff id, and other paths that belong to nothing; `bytes` are those of the blobs."""

    blobs: tuple[str, ...]
    layers: tuple[str, ...]
    debris: tuple[str, ...]
    bytes: int
    forms: tuple[str, ...] = ()
    """Copies of layers for other id maps, by name (mapped.py), whose layers are gone or go."""


class Hold:
    """See Store.hold. The lock of its file tells whether its owner still lives."""

    def __init__(self, store: Store, digests: Iterable[str]) -> None:
        self._store = store
        self._digests = tuple(digests)
        self._lock = FileLock(f"{store.root}/locks/{_HOLD_PREFIX}{os.urandom(8).hex()}")

    def __enter__(self) -> Hold:
        with self._store.lock():
            self._lock.acquire()
        self.add(*self._digests)
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.remove()
        self._store.settle_behind()

    @property
    def path(self) -> str:
        """The file that says what is held."""
        return self._lock.path

    def add(self, *digests: str) -> None:
        """Hold these too."""
        if digests:
            # Under the lock, so that a collection either sees them or is over before anybody looks whether they exist.
            with self._store.lock():
                os.lseek(self._lock.fd, 0, os.SEEK_END)
                files.write_all(
                    self._lock.fd, "".join(f"{digest}\n" for digest in digests).encode()
                )


def find_garbage(store: Store) -> Garbage:
    """See Store.garbage. Without the store's lock the answer is for information only."""
    from storage.layers import NAME_LENGTH  # every hold loads this module, and few collect

    blobs, layers = _wanted(store)
    kept = held(store)
    stray_blobs = [digest for digest in store.blobs.list() if digest not in blobs | kept]
    stray_layers = [
        record.diff_id
        for record in store.layers.list()
        if hex_of(record.diff_id)[:NAME_LENGTH] not in layers and record.diff_id not in kept
    ]
    size = 0
    for digest in stray_blobs:
        try:
            size += store.blobs.size(digest)
        except PodError:
            continue  # removed meanwhile
    stray_forms = [
        name
        for name, diff_id in store.layers.forms().items()
        if name not in layers
        and hex_of(diff_id)[:NAME_LENGTH] not in layers
        and diff_id not in kept
    ]
    debris = (*store.layers.debris(), *store.steps.debris(), *_temporaries(store))
    return Garbage(tuple(stray_blobs), tuple(stray_layers), debris, size, forms=tuple(stray_forms))


def delete_garbage(store: Store) -> Garbage:
    """See Store.delete_unreferenced."""
    with Hold(store, ()), store.lock():  # the hold tells the next command when this one is killed
        garbage = find_garbage(store)
        for diff_id in garbage.layers:
            store.layers.remove(diff_id)
        for name in garbage.forms:
            store.layers.remove_form(name)
        debris = discard_debris(store)
        faults.step("collect: layers")
        for digest in garbage.blobs:
            store.blobs.remove(digest)
        faults.step("collect: blobs")
    return garbage.replace(debris=debris)


def clear_up(store: Store) -> None:
    """See Store.tidy. What tells of a command that was killed while it changed the store is the hold it has left."""
    abandoned = []
    directory = f"{store.root}/locks"
    for name in names(directory):
        if name.startswith(_HOLD_PREFIX):
            lock = FileLock(f"{directory}/{name}")
            if lock.try_acquire():
                abandoned.append(lock)
    if not abandoned:
        return
    discard_debris(store)
    store.blobs.sweep(only_nameless=True)
    for lock in abandoned:
        lock.remove()


def discard_debris(store: Store) -> tuple[str, ...]:
    """Throw away what belongs to no record that counts; the paths."""
    with (
        store.steps.lock(),
        store.layers.lock(),
    ):  # a tree whose record is about to be written is none
        debris = (*store.layers.debris(), *store.steps.debris(), *_temporaries(store))
        for path in debris:
            store.staging.discard(path)
    return debris


def _temporaries(store: Store) -> list[str]:
    images = store.images.directory
    places = [store.root, images, *(f"{images}/blobs/{name}" for name in names(f"{images}/blobs"))]
    return [path for place in places for path in stale_temporaries(place)]


def _wanted(store: Store) -> tuple[set[str], set[str]]:
    """Blobs by digest and layers by directory name that images and containers need."""
    from storage.layers import NAME_LENGTH

    blobs: set[str] = set()
    layers: set[str] = set()
    for image in store.images.list():
        blobs.update(image.blob_digests)
        layers.update(hex_of(diff_id)[:NAME_LENGTH] for diff_id in image.diff_ids)
    from storage.lists import blobs_below

    for digest, _ in store.images.incomplete():
        # Damaged, so that `system check` can repair what is, or nothing that pod knows, such as what skopeo put here.
        blobs.update(blobs_below(store.blobs, digest))
    for record in store.lists.list():
        blobs.update(store.lists.blobs_of(record))
    for artifact in store.artifacts.list():
        blobs.update(blobs_below(store.blobs, artifact.digest))
    for member in store.lists.members_here():
        layers.update(hex_of(diff_id)[:NAME_LENGTH] for diff_id in member.diff_ids)
    layers.update(store.rootfs.used_layers())
    layers.update(store.steps.used_layers())
    return blobs, layers


def held(store: Store, *, but: Hold | None = None) -> set[str]:
    """The digests that running commands hold, those of `but` alone left out."""
    found: set[str] = set()
    directory = f"{store.root}/locks"
    for name in names(directory):
        path = f"{directory}/{name}"
        is_ours = but is not None and path == but.path
        if name.startswith(_HOLD_PREFIX) and not is_ours and locks.is_held(path):
            try:
                found.update(files.read_text(path).split())
            except FileNotFoundError:
                continue
    return found
