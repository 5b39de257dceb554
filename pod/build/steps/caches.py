"""Cache mounts: directories that outlive builds, by an id; shared, locked, or private to one step at a time."""

from __future__ import annotations

import os

from pod.base.records import Record
from storage.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from storage.store import Store

_MOST = 1000  # private ones of one id


class Locks:
    """Locks of a step, given back when the context ends."""

    def __init__(self) -> None:
        self._taken: list[FileLock] = []

    def __enter__(self) -> Locks:
        return self

    def __exit__(self, *_: object) -> None:
        for lock in self._taken:
            lock.release()

    def add(self, lock: FileLock) -> None:
        """One that was acquired."""
        self._taken.append(lock)


class Cache(Record):
    """A directory; `lock` is the path of one that the command must have while it runs, "" for none."""

    path: str
    final: str
    lock: str
    is_new: bool

    def complete(self) -> None:
        """Give a new one its name. When another step was faster, both have theirs until the end of this one."""
        if self.path != self.final:
            os.rename(self.path, self.final)


def take(store: Store, identity: str, name: str, sharing: str, locks: Locks) -> Cache:
    """The directory for a cache of `name`. A new one is not complete before the caller says so."""
    top = store.steps.make_mounts()
    number = 0
    lock = ""
    if sharing == "private":
        while number < _MOST:
            held = FileLock(f"{top}/{identity[:32]}-{number}.lock")
            if held.try_acquire():
                locks.add(held)
                break
            number += 1
    elif sharing == "locked":
        lock = f"{top}/{identity[:32]}-locked.lock"
    path = f"{top}/{identity[:32]}-{number}"
    store.steps.note_mount(path, name)
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        return Cache(path, path, lock, is_new=False)
    return Cache(path, path, lock, is_new=True)
