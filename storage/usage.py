"""How much disk space a tree takes."""

from __future__ import annotations

import os
import stat

from pod.base.records import Record

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Usage(Record):
    """Bytes that the file system has allocated, hard links counted once; entries; and the sum of file lengths."""

    allocated: int = 0
    entries: int = 0
    size: int = 0


def measure(path: str) -> Usage:
    """Of everything at and below `path`; nothing when it is not there. Run it inside the id map for others' files."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return Usage()
    counter = _Counter()
    counter.count(status)
    if stat.S_ISDIR(status.st_mode):
        from storage.copying import raise_limits

        raise_limits()
        try:
            counter.descend(os.open(path, _DIRECTORY))
        except FileNotFoundError:
            return Usage()  # it was removed between the two looks
        except NotADirectoryError:
            # A link has taken its place: the tree of a step has become that of a layer.
            return measure(path)
    return Usage(counter.allocated, counter.entries, counter.size)


def owners(path: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The uids and gids of everything at and below `path`, sorted. Run it inside the id map."""
    uids, gids = set(), set()
    pending = [path]
    while pending:
        directory = pending.pop()
        status = os.lstat(directory)
        uids.add(status.st_uid)
        gids.add(status.st_gid)
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                    continue
                status = entry.stat(follow_symlinks=False)
                uids.add(status.st_uid)
                gids.add(status.st_gid)
    return tuple(sorted(uids)), tuple(sorted(gids))


class _Counter:
    def __init__(self) -> None:
        self.allocated = self.entries = self.size = 0
        self._seen: set[tuple[int, int]] = set()

    def count(self, status: os.stat_result) -> None:
        if stat.S_ISREG(status.st_mode):
            if status.st_nlink > 1:
                identity = (status.st_dev, status.st_ino)
                if identity in self._seen:
                    return
                self._seen.add(identity)
            self.size += status.st_size
        self.entries += 1
        self.allocated += status.st_blocks * 512

    def descend(self, fd: int) -> None:
        """Count what is in the directory `fd`, and close it."""
        try:
            with os.scandir(fd) as entries:
                directories = []
                for entry in entries:
                    try:
                        self.count(entry.stat(follow_symlinks=False))
                    except FileNotFoundError:
                        continue  # it went away meanwhile
                    if entry.is_dir(follow_symlinks=False):
                        directories.append(entry.name)
            for name in directories:
                try:
                    self.descend(os.open(name, _DIRECTORY, dir_fd=fd))
                except FileNotFoundError:
                    continue
        finally:
            os.close(fd)
