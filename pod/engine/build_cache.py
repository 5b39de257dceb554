"""What the cache of builds has, how much space that takes, and how it is kept small."""

from __future__ import annotations

import os
import time

from pod.base.records import Record
from pod.spec.digest import hex_of
from storage.layers import NAME_LENGTH
from storage.steps import MOUNTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.engine.context import Engine
    from storage.store import Store

_SECOND = 1_000_000_000
_SMALLEST_LIMIT = 10 << 30
_SHARE_OF_DISK = 10  # one tenth


class Entry(Record):
    """One step, or one cache mount. `bytes` are those that go with it: none where an image has the layer, too."""

    id: str
    """The key of a step, or the name of a mount's directory."""
    kind: str
    """ "step" or "mount"."""
    text: str
    created_ns: int
    used_ns: int
    bytes: int
    is_shared: bool = False
    """An image has the same layer."""
    in_use: bool = False
    """A build that runs holds it."""


class Pruned(Record):
    """What was removed, and the bytes of it."""

    entries: tuple[Entry, ...]
    bytes: int


def entries(engine: Engine) -> tuple[Entry, ...]:
    """All, the one that was not used for longest first. Call with a single thread."""
    store = engine.store
    from storage.collect import held
    from storage.rootfs import measure_inside

    steps = store.steps
    in_images = {
        hex_of(diff_id)[:NAME_LENGTH] for image in store.images.list() for diff_id in image.diff_ids
    }
    in_images |= store.rootfs.used_layers()
    busy = held(store)
    records = [record for record in steps.all() if record.tree or record.text]
    mounts = steps.mounts()
    shared = {
        record.key
        for record in records
        if record.diff_id and hex_of(record.diff_id)[:NAME_LENGTH] in in_images
    }
    paths = [
        *(steps.tree(record.key) for record in records),
        *(f"{steps.directory}/{MOUNTS}/{name}" for name, _, _ in mounts),
    ]
    engine.close()
    sizes = [it.allocated for it in measure_inside(paths)] if paths else []
    seen: set[str] = set()
    found = []
    for record, path, size in zip(records, paths, sizes, strict=False):
        is_own = path.startswith(f"{steps.directory}/")
        is_counted = record.tree and (is_own or (record.key not in shared and path not in seen))
        seen.add(path)
        found.append(
            Entry(
                id=record.key,
                kind="step",
                text=record.text,
                created_ns=record.created_ns,
                used_ns=max(steps.last_use_ns(record.key), record.created_ns),
                bytes=size if is_counted else 0,
                is_shared=record.key in shared,
                in_use=f"step:{record.key}" in busy,
            )
        )
    for (name, text, used_ns), size in zip(mounts, sizes[len(records) :], strict=True):
        found.append(
            Entry(
                id=name,
                kind="mount",
                text=text,
                created_ns=used_ns,
                used_ns=used_ns,
                bytes=size,
                in_use=steps.is_mount_busy(name),
            )
        )
    return tuple(sorted(found, key=lambda it: it.used_ns))


def prune(
    engine: Engine,
    *,
    everything: bool = False,
    unused_for_seconds: float = 0,
    keep_bytes: int | None = None,
    choose: Callable[[Entry], bool] = lambda _: True,
) -> Pruned:
    """Remove what no build holds and nobody used for so long, oldest first, until at most `keep_bytes` are left.

    Cache mounts, and steps that are layers of images, go only with `everything`; the layers stay with the images. Only
    what `choose` lets through goes. Call with a single thread.
    """
    present = entries(engine)
    total = sum(it.bytes for it in present)
    latest = time.time_ns() - int(unused_for_seconds * _SECOND)
    removed: list[Entry] = []
    for entry in present:
        if keep_bytes is not None and total <= keep_bytes:
            break
        is_kept = not everything and (entry.kind == "mount" or entry.is_shared)
        if is_kept or entry.in_use or entry.used_ns > latest or not choose(entry):
            continue
        if entry.kind == "mount":
            engine.store.steps.remove_mount(entry.id)
        elif not _remove_step(engine.store, entry.id):
            continue
        removed.append(entry)
        total -= entry.bytes
    if removed:
        engine.store.delete_unreferenced()
        engine.store.staging.empty_trash_behind()
    return Pruned(tuple(removed), sum(it.bytes for it in removed))


def _remove_step(store: Store, key: str) -> bool:
    """Forget the result of a step, unless a build has begun to hold it since we looked."""
    from storage.collect import held

    with store.lock():  # a build first holds, under this lock, and then looks whether it is there
        if f"step:{key}" in held(store):
            return False
        store.steps.remove(key)
    return True


def keep_small(engine: Engine) -> None:
    """After a build: let the oldest go when the cache takes more than a tenth of the disk, and more than 10 GiB."""
    status = os.statvfs(engine.paths.root)
    limit = max(_SMALLEST_LIMIT, status.f_blocks * status.f_frsize // _SHARE_OF_DISK)
    if sum(record.size for record in engine.store.steps.all()) > limit:
        prune(engine, everything=True, keep_bytes=limit)
