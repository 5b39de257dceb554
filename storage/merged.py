"""Several layer directories seen as the one tree that an overlay of them would show, without mounting it.

For work on files of images and stopped containers, with any driver: copying, comparing, exporting. Runs as root of the
id map, since the owners of the files are its ids. Nothing is followed out of the layers.
"""

from __future__ import annotations

import os
import stat

from storage.overlayfs import WHITEOUT_PREFIX, explicit_top

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from storage.overlayfs import Marks

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 40


class Item:
    """A visible entry of a merged directory: where its topmost form is, and which layers have it as a directory."""

    __slots__ = ("below", "fd", "name", "status")

    def __init__(self, name: str, fd: int, status: os.stat_result) -> None:
        self.name = name
        self.fd = fd  # of the directory that has it; belongs to the MergedDirectory
        self.status = status
        self.below: list[int] = []

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)


class MergedDirectory:
    """One directory of the merged tree, as a context manager; `fds` are its forms in the layers, topmost first."""

    def __init__(self, fds: list[int], marks: Marks, described_by: int = 0) -> None:
        self.fds = fds
        self._marks = marks
        self._described_by = described_by

    def __enter__(self) -> MergedDirectory:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    @property
    def attributes_fd(self) -> int:
        """The form whose attributes count: the topmost one, but for a root that its layer says nothing about."""
        return self.fds[self._described_by]

    @property
    def status(self) -> os.stat_result:
        """Of `attributes_fd`."""
        return os.fstat(self.attributes_fd)

    def items(self) -> dict[str, Item]:
        """What is visible, sorted by name."""
        found: dict[str, Item] = {}
        closed: set[str] = set()  # names that are decided: what lies deeper is covered
        for fd in self.fds:
            names, hidden = self._names(fd)
            for name in names:
                if name in closed:
                    continue
                status = os.lstat(name, dir_fd=fd)
                known = found.get(name)
                if stat.S_ISDIR(status.st_mode):
                    item = known or found.setdefault(name, Item(name, fd, status))
                    item.below.append(fd)
                    continue
                closed.add(name)
                if known is None and not self._marks.is_whiteout_file(fd, name, status):
                    found[name] = Item(name, fd, status)
            closed |= hidden
        return dict(sorted(found.items()))

    def is_opaque(self) -> bool:
        """Whether the topmost form hides everything below it."""
        return self._marks.is_opaque(self.fds[0])

    def whiteouts(self) -> set[str]:
        """The names that the topmost form hides."""
        fd = self.fds[0]
        names, hidden = self._names(fd)
        return hidden | {
            name
            for name in names
            if self._marks.is_whiteout_file(fd, name, os.lstat(name, dir_fd=fd))
        }

    def _names(self, fd: int) -> tuple[list[str], set[str]]:
        """The names in one form of the directory, and those that it hides by other names."""
        names = os.listdir(fd)
        if not self._marks.by_name:
            return names, set()
        marks = [name for name in names if name.startswith(WHITEOUT_PREFIX)]
        hidden = {name[len(WHITEOUT_PREFIX) :] for name in marks}
        return [name for name in names if not name.startswith(WHITEOUT_PREFIX)], hidden

    def find(self, name: str) -> Item | None:
        """One entry, as in `items`."""
        item: Item | None = None
        for fd in self.fds:
            try:
                status = os.lstat(name, dir_fd=fd)
            except FileNotFoundError:
                if name in self._names(fd)[1]:
                    return item
                continue
            if not stat.S_ISDIR(status.st_mode):
                if item is None and not self._marks.is_whiteout_file(fd, name, status):
                    return Item(name, fd, status)
                return item
            item = item or Item(name, fd, status)
            item.below.append(fd)
        return item

    def enter(self, item: Item) -> MergedDirectory:
        """The directory that `item` is; forms below an opaque one do not count."""
        fds: list[int] = []
        try:
            for parent_fd in item.below:
                fds.append(os.open(item.name, _DIRECTORY, dir_fd=parent_fd))
                if self._marks.is_opaque(fds[-1]):
                    break
        except BaseException:
            for fd in fds:
                os.close(fd)
            raise
        return MergedDirectory(fds, self._marks)

    def copy(self) -> MergedDirectory:
        """The same directory with descriptors of its own."""
        return MergedDirectory([os.dup(fd) for fd in self.fds], self._marks, self._described_by)


def open_merged(layers: Iterable[str], marks: Marks) -> MergedDirectory:
    """The root of the tree that these directories make, topmost first."""
    fds: list[int] = []
    try:
        for layer in layers:
            # Of the store's own: the tree of a build's step is a link once it has become a layer.
            fds.append(os.open(layer, _DIRECTORY & ~os.O_NOFOLLOW))
            if marks.is_opaque(fds[-1]):
                break
    except BaseException:
        for fd in fds:
            os.close(fd)
        raise
    return MergedDirectory(fds, marks, explicit_top(fds) if fds else 0)


def find_directory(root: MergedDirectory, path: str) -> MergedDirectory | None:
    """The directory at `path`, symbolic links followed inside the tree; None when there is none."""
    todo = _components(path)
    trail = [root.copy()]
    links = 0
    try:
        while todo:
            name = todo.pop()
            if name == "..":
                if len(trail) > 1:
                    trail.pop().__exit__()
                continue
            item = trail[-1].find(name)
            if item is None:
                return None
            if item.is_directory:
                trail.append(trail[-1].enter(item))
                continue
            links += 1
            if not stat.S_ISLNK(item.status.st_mode) or links > _MOST_LINKS:
                return None
            target = os.readlink(name, dir_fd=item.fd)
            if target.startswith("/"):
                while len(trail) > 1:
                    trail.pop().__exit__()
            todo += _components(target)
        return trail.pop()
    finally:
        for directory in trail:
            directory.__exit__()


def walk(directory: MergedDirectory, prefix: str = "") -> Iterator[tuple[str, Item]]:
    """All entries below, a directory before its content, by name; the paths have no leading slash."""
    for name, item in directory.items().items():
        path = f"{prefix}{name}"
        yield path, item
        if item.is_directory:
            with directory.enter(item) as inner:
                yield from walk(inner, f"{path}/")


def _components(path: str) -> list[str]:
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]
