"""Copy the tree of a layer for another id map: the same files with other owners. See mapped.py.

Runs as root of the default id map, which owns every file that there is. Overlay's marks and our own attributes are
copied too, since the result is a layer.
"""

from __future__ import annotations

import os
import stat

from pod.base import faults, files
from pod.linux import processes
from pod.linux.boot import boot_id
from storage import copying
from storage.locks import FileLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage.mapped import Form
    from storage.store import Store

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
_MOST_WORKERS = 4
_CAPABILITY = "security.capability"
_OPAQUE = frozenset({"user.overlay.opaque", "trusted.overlay.opaque"})
_WHITEOUTS = frozenset({"user.overlay.whiteout", "trusted.overlay.whiteout"})


def make(store: Store, forms: list[Form]) -> None:
    """Make these trees in the store, some at a time. The caller holds the lock that keeps others from it."""
    import gc

    gc.disable()  # nothing here has cycles
    os.umask(0)
    copying.raise_limits()
    # Thin layers are made from whole ones, so those come first; each kind in several processes.
    for wanted in ([it for it in forms if it.whole], [it for it in forms if not it.whole]):
        _make_each(store, wanted)


def _make_each(store: Store, forms: list[Form]) -> None:
    workers = min(len(forms), len(os.sched_getaffinity(0)), _MOST_WORKERS)
    if workers < 2:
        for form in forms:
            _make_one(store, form)
        return
    children = [
        processes.fork(_Work(store, forms[number::workers]).run, what="copy layers")
        for number in range(workers)
    ]
    try:
        while children:
            children[0].result()
            del children[0]
    finally:
        for child in children[1:]:
            child.kill()


class _Work:
    """What one of several processes makes."""

    def __init__(self, store: Store, forms: list[Form]) -> None:
        self._store = store
        self._forms = forms

    def run(self) -> None:
        for form in self._forms:
            _make_one(self._store, form)


def _make_one(store: Store, form: Form) -> None:
    tree = store.staging.create()
    try:
        faults.step("mapped: staged")
        made = f"{tree.path}/tree"
        os.mkdir(made, 0o700)
        _copy_tree(f"{store.layers.directory}/{form.source}", made, form)
        faults.step("mapped: copied")
        path = f"{store.layers.directory}/{form.name}"
        with FileLock(f"{store.root}/locks/layers.lock"):
            store.staging.discard(path)  # a tree without a record is from a crash
            os.rename(made, path)
            faults.step("mapped: placed")
            record = {"diff_id": form.diff_id, "boot": boot_id()}
            files.write_json(f"{path}.json", record, sync=False)
    finally:
        tree.remove()


def _copy_tree(source: str, target: str, form: Form) -> None:
    source_fd, target_fd = os.open(source, _DIRECTORY), os.open(target, _DIRECTORY)
    try:
        copier = _Whole(target_fd, form) if form.whole else _Chosen(target_fd, form)
        copier.copy(source_fd, target_fd, "")
    finally:
        os.close(source_fd)
        os.close(target_fd)


class _Whole:
    """Copies everything, with new owners."""

    left_out: frozenset[str] = frozenset()  # extended attributes

    def __init__(self, root_fd: int, form: Form) -> None:
        self.uids: Mapping[int, int] = dict(form.uids)
        self.gids: Mapping[int, int] = dict(form.gids)
        self._capability_root = self.uids.get(0, 0) if form.whole else 0
        self._root_fd = root_fd
        self._links: dict[int, str] = {}

    def copy(self, source_fd: int, target_fd: int, prefix: str) -> None:
        """Fill the directory `target_fd`, which also gets the attributes of `source_fd`."""
        for entry in _entries(source_fd):
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                self._copy_directory(entry.name, source_fd, target_fd, prefix)
            else:
                self.copy_entry(entry.name, status, source_fd, target_fd, prefix)
        self.set_directory(source_fd, target_fd)

    def _copy_directory(self, name: str, source_fd: int, target_fd: int, prefix: str) -> None:
        os.mkdir(name, 0o700, dir_fd=target_fd)
        inner_source = os.open(name, _DIRECTORY, dir_fd=source_fd)
        try:
            inner_target = os.open(name, _DIRECTORY, dir_fd=target_fd)
            try:
                self.copy(inner_source, inner_target, f"{prefix}{name}/")
            finally:
                os.close(inner_target)
        finally:
            os.close(inner_source)

    def copy_entry(
        self, name: str, status: os.stat_result, source_fd: int, target_fd: int, prefix: str
    ) -> None:
        """One entry that is no directory."""
        if status.st_nlink > 1:
            first = self._links.setdefault(status.st_ino, prefix + name)
            if first != prefix + name:
                os.link(
                    first,
                    name,
                    src_dir_fd=self._root_fd,
                    dst_dir_fd=target_fd,
                    follow_symlinks=False,
                )
                return
        if stat.S_ISREG(status.st_mode):
            self._copy_file(name, status, source_fd, target_fd)
        else:
            self._copy_special(name, status, source_fd, target_fd)

    def _copy_file(self, name: str, status: os.stat_result, source_fd: int, target_fd: int) -> None:
        mode = status.st_mode
        source = os.open(name, _READ, dir_fd=source_fd)
        try:
            target = os.open(name, _NEW, mode & 0o777, dir_fd=target_fd)
            try:
                if status.st_size:
                    copying.copy_data(source, target, status)
                os.fchown(target, *self._owner(status))
                if mode & _SPECIAL_BITS:
                    os.fchmod(target, stat.S_IMODE(mode))  # after chown, which clears them
                self._copy_xattrs(source, target)
                os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))
            finally:
                os.close(target)
        finally:
            os.close(source)

    def _copy_special(
        self, name: str, status: os.stat_result, source_fd: int, target_fd: int
    ) -> None:
        """Symbolic links, pipes, whiteouts, and for the real root devices."""
        if stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=source_fd), name, dir_fd=target_fd)
        else:
            os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target_fd)
        os.chown(name, *self._owner(status), dir_fd=target_fd, follow_symlinks=False)
        if status.st_mode & _SPECIAL_BITS and not stat.S_ISLNK(status.st_mode):
            os.chmod(name, stat.S_IMODE(status.st_mode), dir_fd=target_fd)
        times = (status.st_mtime_ns, status.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=target_fd, follow_symlinks=False)

    def set_directory(self, source_fd: int, target_fd: int) -> None:
        """Attributes of a directory; last, since making entries has changed its time."""
        status = os.fstat(source_fd)
        os.fchown(target_fd, *self._owner(status))
        os.fchmod(target_fd, stat.S_IMODE(status.st_mode))
        self._copy_xattrs(source_fd, target_fd)
        os.utime(target_fd, ns=(status.st_mtime_ns, status.st_mtime_ns))

    def _owner(self, status: os.stat_result) -> tuple[int, int]:
        uid, gid = status.st_uid, status.st_gid
        return self.uids.get(uid, uid), self.gids.get(gid, gid)

    def _copy_xattrs(self, source: int, target: int) -> None:
        for name in os.listxattr(source):
            if name in self.left_out:
                continue
            if name == _CAPABILITY:
                value = copying.for_root(os.getxattr(source, name), self._capability_root)
            elif name.startswith(("user.", "trusted.overlay.")):
                value = os.getxattr(source, name)
            else:
                continue
            os.setxattr(target, name, value)


class _Chosen(_Whole):
    """Copies what has one of the owners that are moved, and the directories on the way there."""

    left_out = _OPAQUE  # what lies below a directory is the very same directory

    def copy(self, source_fd: int, target_fd: int, prefix: str) -> None:
        self._descend(source_fd, target_fd, prefix)
        self.set_directory(source_fd, target_fd)

    def _descend(self, source_fd: int, target_fd: int, prefix: str) -> None:
        for entry in _entries(source_fd):
            status = entry.stat(follow_symlinks=False)
            is_chosen = status.st_uid in self.uids or status.st_gid in self.gids
            if stat.S_ISDIR(status.st_mode):
                self._copy_if_needed(entry.name, source_fd, target_fd, prefix, needed=is_chosen)
            elif is_chosen and not _is_whiteout(entry.name, status, source_fd):
                self.copy_entry(entry.name, status, source_fd, target_fd, prefix)

    def _copy_if_needed(
        self, name: str, source_fd: int, target_fd: int, prefix: str, *, needed: bool
    ) -> None:
        """A directory, unless it turns out to be neither chosen nor on the way to anything that is."""
        os.mkdir(name, 0o700, dir_fd=target_fd)
        inner_source = os.open(name, _DIRECTORY, dir_fd=source_fd)
        try:
            inner_target = os.open(name, _DIRECTORY, dir_fd=target_fd)
            try:
                self._descend(inner_source, inner_target, f"{prefix}{name}/")
                if needed or os.listdir(inner_target):
                    self.set_directory(inner_source, inner_target)
                    return
            finally:
                os.close(inner_target)
        finally:
            os.close(inner_source)
        os.rmdir(name, dir_fd=target_fd)


def _entries(directory_fd: int) -> list[os.DirEntry[str]]:
    with os.scandir(directory_fd) as entries:
        return list(entries)


def _is_whiteout(name: str, status: os.stat_result, directory_fd: int) -> bool:
    """What hides something below need not hide it twice; overlayfs.py knows both forms."""
    if stat.S_ISCHR(status.st_mode):
        return status.st_rdev == 0
    if status.st_size or status.st_mode & 0o777:
        return False
    path = f"/proc/self/fd/{directory_fd}/{name}"
    return any(name in _WHITEOUTS for name in os.listxattr(path, follow_symlinks=False))
