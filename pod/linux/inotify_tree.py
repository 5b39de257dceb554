"""Be told which paths of a directory tree change, also in directories that are made later. See inotify(7)."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct

from pod.linux import inotify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_IN_CLOSE_WRITE = 0x8
_IN_MOVED_TO = 0x80
_IN_Q_OVERFLOW = 0x4000
_IN_IGNORED = 0x8000
_IN_ISDIR = 0x40000000
_IN_ONLYDIR = 0x01000000
_ENTRIES = (
    inotify.IN_ATTRIB | _IN_CLOSE_WRITE | inotify.IN_CREATE | inotify.IN_DELETE
    | inotify.IN_MOVED_FROM | _IN_MOVED_TO | _IN_ONLYDIR
)  # fmt: skip
_HEADER = struct.Struct("iIII")

_libc = ctypes.CDLL(None, use_errno=True)


class Tree:
    """Changes of a file or directory and of all that is below it. The holder closes it.

    `skipped` says of an absolute path of a directory that nothing below it is of interest; it is not watched then.
    Also told is what happens to the root itself, which may be replaced by another one, as editors do with files.
    """

    def __init__(self, root: str, skipped: Callable[[str], bool]) -> None:
        self.root = root
        self._skipped = skipped
        self._fd = inotify.open_instance(root)
        self._paths: dict[int, str] = {}
        try:
            self._parent = self._watch(os.path.dirname(root))
            self._add(root)
        except OSError:
            os.close(self._fd)
            raise

    def fileno(self) -> int:
        return self._fd

    def close(self) -> None:
        os.close(self._fd)

    def take(self) -> set[str]:
        """The paths that have changed since, which may be gone or be there; files of new directories are among them.

        Where the kernel could not keep up, everything that there is.
        """
        found: set[str] = set()
        while data := self._read():
            for number, mask, name in _events(data):
                found |= self._changed(number, mask, name)
        return found

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, 1 << 16)
        except BlockingIOError:
            return b""

    def _changed(self, number: int, mask: int, name: str) -> set[str]:
        if mask & _IN_Q_OVERFLOW:
            return {self.root, *self._add(self.root)}
        if mask & _IN_IGNORED:
            self._paths.pop(number, None)
            return set()
        directory = self._paths.get(number)
        if directory is None or not name:
            return set()
        path = os.path.join(directory, name)
        if number == self._parent and path != self.root:
            return set()
        if mask & _IN_ISDIR:
            if mask & (inotify.IN_CREATE | _IN_MOVED_TO):
                return {path, *self._add(path)}
            if mask & inotify.IN_MOVED_FROM:
                self._forget(path)
            return {path}
        if mask & inotify.IN_CREATE and _is_written_to(path):
            return set()
        return {path}

    def _add(self, path: str) -> set[str]:
        """Watch a directory and those below it; all paths that are in them."""
        found: set[str] = set()
        waiting = [path]
        while waiting:
            directory = waiting.pop()
            if self._skipped(directory):
                continue
            try:
                self._watch(directory)
                entries = list(os.scandir(directory))
            except OSError as error:
                if error.errno not in {errno.ENOENT, errno.ENOTDIR, errno.EACCES}:
                    raise
                continue  # a file, or gone already, or nothing that we may see
            for entry in entries:
                found.add(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
        return found

    def _watch(self, directory: str) -> int:
        number = inotify.add_watch(self._fd, directory, _ENTRIES)
        # The root may be in its own parent's place: a directory has one number however often it is added.
        self._paths[number] = directory
        return number

    def _forget(self, path: str) -> None:
        """Stop to watch what was moved elsewhere, whose paths are not what they were."""
        for number, known in list(self._paths.items()):
            if known == path or known.startswith(f"{path}/"):
                _libc.inotify_rm_watch(self._fd, number)
                del self._paths[number]


def _is_written_to(path: str) -> bool:
    """Whether a new file will be told of again, when its writer closes it; a link to another file will not."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and status.st_nlink == 1


def _events(data: bytes) -> Iterator[tuple[int, int, str]]:
    position = 0
    while position < len(data):
        number, mask, _, length = _HEADER.unpack_from(data, position)
        position += _HEADER.size
        name = data[position : position + length].rstrip(b"\0")
        position += length
        yield number, mask, os.fsdecode(name)
