"""What a container has changed, as a list or as a layer, and a whole tree as an archive.

Functions run as root of the id map, where the owners of files are the ids that the container sees. Nothing is mounted:
the layers and the container's own directory are read as one tree (`merged.py`).
"""

from __future__ import annotations

import errno
import os
import stat

from storage import copying, merged, overlayfs
from storage.overlayfs import OWNER_XATTR
from storage.tarwrite import TarWriter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pod.linux.idmap import IdMap
    from storage.merged import Item, MergedDirectory
    from storage.overlayfs import Marks

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
ADDED, CHANGED, DELETED = "A", "C", "D"


class Change:
    """One difference; `item` is what is there now, None for what is deleted. The path has no leading slash."""

    __slots__ = ("item", "kind", "path")

    def __init__(self, kind: str, path: str, item: Item | None) -> None:
        self.kind = kind
        self.path = path
        self.item = item


def diff(top: str, lowers: Sequence[str], marks: Marks, *, whole: bool) -> list[tuple[str, str]]:
    """The changes as (kind, "/path"), a directory before its content, by name.

    `top` is what the container wrote. With `whole` it is a complete tree instead, which is compared with the layers.
    """
    copying.raise_limits()
    with _open(top, lowers, marks) as (upper, lower):
        return [(change.kind, f"/{change.path}") for change in _changes(upper, lower, whole=whole)]


def compare(
    layers: Sequence[str], others: Sequence[str], marks: Marks, *, owners: bool
) -> list[tuple[str, str]]:
    """How the tree that `layers` make, topmost first, differs from that of `others`; as `diff`.

    Without `owners`, other owners are no difference.
    """
    copying.raise_limits()
    differs = _differs if owners else _differs_in_content
    with merged.open_merged(layers, marks) as new, merged.open_merged(others, marks) as old:
        changes = _changes(new, old, whole=True, differs=differs)
        return [(change.kind, f"/{change.path}") for change in changes]


def write_layer(
    top: str,
    lowers: Sequence[str],
    marks: Marks,
    out_fd: int,
    *,
    whole: bool,
    exclude: Iterable[str] = (),
    ids: tuple[IdMap, IdMap] | None = None,
    time_of: Callable[[int], int] | None = None,
) -> int:
    """Write the changes as an uncompressed layer to `out_fd`; the number of entries.

    Paths in `exclude` ("/etc/hosts") are left out.

    `ids` is the container's id map in intermediate ids (spec/userns.py), where it is not the usual one. `time_of` says
    which time a file with a certain one, in nanoseconds, gets in the archive.

    What is deleted becomes `.wh.` files (OCI image specification, "Whiteouts"); opaque directories too, one for each
    name that they hide, so that the layer means the same to everybody.
    """
    copying.raise_limits()
    left_out = {path.strip("/") for path in exclude}
    writer = _TreeWriter(out_fd, ids, time_of)
    with _open(top, lowers, marks) as (upper, lower):
        if _top_differs(os.fstat(upper.fds[0]), lowers):
            writer.add_root(upper.fds[0])
        writer.add_changes(_changes(upper, lower, whole=whole), left_out)
    writer.close()
    return writer.entries


def write_difference(
    layers: Sequence[str],
    others: Sequence[str],
    marks: Marks,
    out_fd: int,
    *,
    time_of: Callable[[int], int] | None = None,
) -> int:
    """Write a layer that makes of the tree of `others` that of `layers`, topmost first; the number of entries."""
    copying.raise_limits()
    writer = _TreeWriter(out_fd, None, time_of)
    with merged.open_merged(layers, marks) as new, merged.open_merged(others, marks) as old:
        if _top_differs(new.status, others):
            writer.add_root(new.fds[0])
        writer.add_changes(_changes(new, old, whole=True), set())
    writer.close()
    return writer.entries


def write_tree(
    layers: Sequence[str],
    marks: Marks,
    out_fd: int,
    *,
    exclude: Iterable[str] = (),
    ids: tuple[IdMap, IdMap] | None = None,
) -> None:
    """Write the tree that `layers` make, topmost first, as an archive to `out_fd`; `ids` as in write_layer."""
    copying.raise_limits()
    left_out = {path.strip("/") for path in exclude}
    writer = _TreeWriter(out_fd, ids)
    with merged.open_merged(layers, marks) as root:
        if _top_differs(root.status, ()):
            writer.add_root(root.fds[0])
        for path, item in merged.walk(root):
            if path not in left_out:
                writer.add(path, item)
    writer.close()


def write_trees(trees: Iterable[tuple[str, Sequence[str]]], marks: Marks, out_fd: int) -> None:
    """As write_tree, of several trees in one archive, each in a directory of its name."""
    copying.raise_limits()
    writer = _TreeWriter(out_fd, None)
    for name, layers in trees:
        with merged.open_merged(layers, marks) as root:
            writer.add_root(root.fds[0], name)
            for path, item in merged.walk(root):
                writer.add(f"{name}/{path}", item)
        writer.forget_links()  # so that each directory is complete
    writer.close()


def _top_differs(status: os.stat_result, lowers: Sequence[str]) -> bool:
    """Whether the top directory is another than that of the layers; without layers, another than the usual one."""
    mine = (status.st_mode, status.st_uid, status.st_gid)
    if not lowers:
        return mine != (stat.S_IFDIR | 0o755, 0, 0)
    below = os.stat(lowers[overlayfs.explicit_top(lowers)])
    return mine != (below.st_mode, below.st_uid, below.st_gid)


class _open:  # noqa: N801  used as a function is
    """The container's own directory alone, and the layers below it as one tree."""

    def __init__(self, top: str, lowers: Sequence[str], marks: Marks) -> None:
        self._upper = merged.open_merged([top], marks)
        self._lower = merged.open_merged(lowers, marks)

    def __enter__(self) -> tuple[MergedDirectory, MergedDirectory]:
        return self._upper, self._lower

    def __exit__(self, *_: object) -> None:
        self._upper.__exit__()
        self._lower.__exit__()


def _differs(new: Item, old: Item) -> bool:
    """Whether two entries of one name are different, as far as can be told without reading them."""
    mine, other = new.status, old.status
    if (mine.st_uid, mine.st_gid) != (other.st_uid, other.st_gid):
        return True
    return _differs_in_content(new, old)


def _differs_in_content(new: Item, old: Item) -> bool:
    """The same, whoever owns them."""
    mine, other = new.status, old.status
    if mine.st_mode != other.st_mode:
        return True
    if stat.S_ISDIR(mine.st_mode):
        return False
    if stat.S_ISLNK(mine.st_mode):
        return os.readlink(new.name, dir_fd=new.fd) != os.readlink(old.name, dir_fd=old.fd)
    return (mine.st_size, mine.st_mtime_ns, mine.st_rdev) != (
        other.st_size,
        other.st_mtime_ns,
        other.st_rdev,
    )


def _changes(
    upper: MergedDirectory,
    lower: MergedDirectory | None,
    *,
    whole: bool,
    prefix: str = "",
    differs: Callable[[Item, Item], bool] = _differs,
) -> Iterator[Change]:
    """Compare a directory of the container with the same one of the layers; None when they do not have it."""
    below = lower.items() if lower is not None else {}
    here = upper.items()
    # Whiteouts are not among `here`. In an opaque directory, or a whole tree, whatever is not here is gone.
    hidden = (
        set(below) - set(here) if whole or upper.is_opaque() else upper.whiteouts() & set(below)
    )
    for name in sorted(set(here) | hidden):
        path = f"{prefix}{name}"
        item, old = here.get(name), below.get(name)
        if item is None:
            yield Change(DELETED, path, None)
            continue
        if not item.is_directory:
            if old is None or not whole or differs(item, old):
                yield Change(CHANGED if old is not None else ADDED, path, item)
            continue
        yield from _directory_changes(
            upper, lower, item, old, whole=whole, path=path, differs=differs
        )


def _directory_changes(
    upper: MergedDirectory,
    lower: MergedDirectory | None,
    item: Item,
    old: Item | None,
    *,
    whole: bool,
    path: str,
    differs: Callable[[Item, Item], bool],
) -> Iterator[Change]:
    change = Change(CHANGED if old is not None else ADDED, path, item)
    with upper.enter(item) as inner:
        if lower is None or old is None or not old.is_directory:
            yield change
            yield from _changes(inner, None, whole=whole, prefix=f"{path}/")
            return
        with lower.enter(old) as inner_lower:
            content = _changes(inner, inner_lower, whole=whole, prefix=f"{path}/", differs=differs)
            if whole and not differs(item, old):
                # A directory that is the same counts as changed when something in it is.
                first = next(content, None)
                if first is None:
                    return
                yield change
                yield first
            else:
                yield change
            yield from content


class _TreeWriter:
    """Entries of trees into an archive."""

    def __init__(
        self,
        out_fd: int,
        ids: tuple[IdMap, IdMap] | None,
        time_of: Callable[[int], int] | None = None,
    ) -> None:
        self._tar = TarWriter(out_fd, time_of)
        self._ids = ids
        self._links: dict[tuple[int, int], bytes] = {}
        self.entries = 0

    def add_changes(self, changes: Iterable[Change], left_out: set[str]) -> None:
        for change in changes:
            name = change.path.rpartition("/")[2]
            if change.path in left_out or name.startswith(overlayfs.WHITEOUT_PREFIX):
                continue  # a layer cannot have files of such names: there they remove others
            if change.item is None:
                self.mark(f"{change.path[: -len(name)]}{overlayfs.WHITEOUT_PREFIX}{name}")
            else:
                self.add(change.path, change.item)

    def mark(self, path: str) -> None:
        self.entries += 1
        self._tar.add_empty(os.fsencode(path))

    def close(self) -> None:
        self._tar.close()

    def forget_links(self) -> None:
        """What comes has no links to what was added so far."""
        self._links.clear()

    def add_root(self, fd: int, name: str = ".") -> None:
        status = os.fstat(fd)
        self._tar.add(
            os.fsencode(name), status, owner=self._owner(status, fd), xattrs=portable_xattrs(fd)
        )

    def add(self, path: str, item: Item) -> None:
        self.entries += 1
        name, status = os.fsencode(path), item.status
        identity = (status.st_dev, status.st_ino)
        if status.st_nlink > 1 and not item.is_directory:
            first = self._links.setdefault(identity, name)
            if first != name:
                self._tar.add(name, status, owner=self._owner(status), hard_link=first)
                return
        if stat.S_ISREG(status.st_mode) or item.is_directory:
            self._add_open(name, item)
        elif stat.S_ISLNK(status.st_mode):
            target = os.fsencode(os.readlink(item.name, dir_fd=item.fd))
            self._tar.add(name, status, owner=self._owner(status), link=target)
        elif not stat.S_ISSOCK(status.st_mode):  # a socket means nothing without its process
            self._tar.add(name, status, owner=self._owner(status))

    def _owner(self, status: os.stat_result, fd: int = -1) -> tuple[int, int, int] | None:
        """User, group and mode as the container knows them; None when they are those of `status`."""
        owner = true_owner(fd, status) if fd >= 0 else None
        if owner is not None or self._ids is None:
            return owner
        uid, gid = (
            inside(extents, number)
            for extents, number in zip(self._ids, (status.st_uid, status.st_gid), strict=True)
        )
        return uid, gid, stat.S_IMODE(status.st_mode)

    def _add_open(self, name: bytes, item: Item) -> None:
        fd = os.open(item.name, _READ, dir_fd=item.fd)
        try:
            status = os.fstat(fd)
            self._tar.add(
                name,
                status,
                owner=self._owner(status, fd),
                xattrs=portable_xattrs(fd),
                source_fd=fd,
            )
        finally:
            os.close(fd)


_NOBODY = 65534


def inside(extents: IdMap, number: int) -> int:
    """The id in the container of an intermediate one; one that it does not have is nobody."""
    for inside, intermediate, count in extents:
        if intermediate <= number < intermediate + count:
            return inside + number - intermediate
    return _NOBODY


def portable_xattrs(fd: int) -> dict[str, bytes]:
    """The attributes for an archive: file capabilities without the id of a root, who is another one elsewhere."""
    found = copying.image_xattrs(fd)
    name = "security.capability"
    if name in found:
        found[name] = copying.without_root_id(found[name])
    return found


def true_owner(fd: int, status: os.stat_result) -> tuple[int, int, int] | None:
    """In single-id mode, the user, group and mode that a file has in its image; None when the file says them itself."""
    try:
        value = os.getxattr(fd, OWNER_XATTR)
    except OSError as error:
        if error.errno in {errno.ENODATA, errno.ENOTSUP}:
            return None
        raise
    try:
        uid, gid, mode = value.decode("ascii").split(":")
        owner, kept = (int(uid), int(gid)), int(mode, 8)
    except ValueError:
        return None  # a container has written to it
    now = stat.S_IMODE(status.st_mode)
    if now & 0o777 == kept & 0o777:
        now |= kept & 0o7000  # nobody has changed the mode since; the set-id bits come back
    return (*owner, now)
