"""Whether the files of a layer are those that were unpacked: a fingerprint of a tree, and the first difference of two.

The fingerprint is of what lstat(2) tells, so that all layers are looked at in the time of a find(1). It is taken when
nobody waits (LayerStore.settle). Both run inside the id map, where every file can be read.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

_READ_BYTES = 1 << 20


def fingerprint(top: str) -> str:
    """Of the names, kinds, permissions, owners, sizes and times of everything below `top`, but not of contents.

    Times of directories are left out: they are not what anybody means by a changed file.
    """
    import hashlib  # heavy

    found = hashlib.blake2b(digest_size=16)
    for path, status in _walk(top):
        is_directory = stat.S_ISDIR(status.st_mode)
        words = (
            path,
            status.st_mode,
            status.st_uid,
            status.st_gid,
            *(() if is_directory else (status.st_size, status.st_mtime_ns, status.st_rdev)),
        )
        found.update(repr(words).encode("utf-8", "surrogateescape"))
    return found.hexdigest()


def fingerprints(tops: Iterable[str]) -> list[str]:
    """Of several trees; "" for one that has gone meanwhile."""
    found = []
    for top in tops:
        try:
            found.append(fingerprint(top))
        except FileNotFoundError:
            found.append("")
    return found


def difference(top: str, original: str) -> str:
    """What in the tree `top` is not as in `original`, contents too: half a sentence, or "" when all is the same."""
    here, there = dict(_walk(top)), dict(_walk(original))
    for path in sorted(here.keys() | there.keys()):
        if path not in here:
            return f"its file '{path}' is missing"
        if path not in there:
            return f"'{path}' in it is not of the image"
        if _kind_of(here[path]) != _kind_of(there[path]):
            return f"kind, permissions, owner or time of its file '{path}' were changed"
        if not _has_same_content(f"{top}{path}", f"{original}{path}", here[path]):
            return f"its file '{path}' has other content"
    return ""


def _kind_of(status: os.stat_result) -> tuple[Any, ...]:
    kind = (status.st_mode, status.st_uid, status.st_gid, status.st_rdev)
    return kind if stat.S_ISDIR(status.st_mode) else (*kind, status.st_size, status.st_mtime_ns)


def _has_same_content(path: str, original: str, status: os.stat_result) -> bool:
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(path) == os.readlink(original)
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        return True
    with open(path, "rb", buffering=0) as one, open(original, "rb", buffering=0) as other:
        while chunk := one.read(_READ_BYTES):
            if chunk != other.read(len(chunk)):
                return False
    return True


def _walk(top: str) -> Iterator[tuple[str, os.stat_result]]:
    """Path from the top on ("/etc/passwd") and status of everything below, in an order that depends on names alone."""
    pending = [""]
    while pending:
        directory = pending.pop()
        with os.scandir(f"{top}{directory}/") as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path = f"{directory}/{entry.name}"
                yield path, entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
