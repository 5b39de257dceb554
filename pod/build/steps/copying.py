"""The process of COPY and ADD: files into the file system of a stage, as a container would see it.

It is root of the id map, in a mount namespace of its own where the stage is mounted. Targets are resolved inside that,
whatever links the image has; sources were chosen by `sources.py`, and no link among them is followed.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat

from pod.base.errors import PodError
from pod.base.records import Record
from pod.build import roots
from pod.build.modes import parse_chmod
from pod.build.sources import Origin, Wanted, content_hash, select
from pod.build.steps.owners import find_owner
from pod.linux import inroot, mounts
from storage import copying as storage_copying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.build.dockerfile.ignore import IgnoreRules
    from pod.build.sources import Entry, Selection

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Part(Record):
    """Sources of one origin. `root` is a directory of the host, or `lowers` are the trees of a stage or an image.

    With `keeps_owners` files keep theirs, which means something in a stage and nothing in a context. `names` are those
    that sources get in the target, where it is not their own. `archive` is the path of one that is unpacked to `root`.
    """

    name: str
    wanted: Wanted
    root: str = ""
    lowers: tuple[str, ...] = ()
    rules: IgnoreRules | None = None
    keeps_owners: bool = False
    archive: str = ""
    identity: str = ""
    """What `lowers` are, for the cache."""
    driver: str = "overlay"
    """The storage driver, for `lowers`."""


class Settings(Record):
    """`target` is absolute; a directory if it ends with a slash. `owner` and `mode` are as typed, "" for none."""

    target: str
    owner: str = ""
    mode: str = ""
    working_directory: str = "/"
    user: str = ""
    is_linked: bool = False
    """--link: the root is empty, and `directories` are what those on the way to the target are like in the stage."""
    directories: tuple[tuple[str, int, int, int], ...] = ()
    """Path, mode, owner and group, from "/" on."""


def describe(part: Part, mount_point: str = "") -> tuple[str, bool]:
    """The hash of what a part takes, and whether that is one file. Trees are mounted on `mount_point` meanwhile."""
    with Opened(part, mount_point) as origin:
        selection = select(origin, part.wanted)
        digest = content_hash(origin, selection, with_owners=part.keeps_owners)
        return digest, selection.is_file


def copy(
    root: dict[str, Any], mount_point: str, parts: Sequence[Part], scratch: str, settings: Settings
) -> None:
    """Copy all parts. `root` is to be mounted on `mount_point`; `scratch` is an empty directory of our own."""
    storage_copying.raise_limits()
    os.umask(0)
    roots.mount(root, mount_point)
    root_fd = os.open(mount_point, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for number, given in enumerate(parts):
            place = f"{scratch}/{number}"
            os.mkdir(place, 0o755)
            part = _from_archive(given, place) if given.archive else given
            with Opened(part, place) as origin:
                selection = select(origin, part.wanted)
                copier = Copier(root_fd, origin, settings, keeps_owners=part.keeps_owners)
                copier.copy(selection)
    finally:
        os.close(root_fd)
        roots.unmount(mount_point)


def extract(part: Part, mount_point: str, directory: str) -> str:
    """Copy what a part takes into an empty directory of the host; the name of the only file, or ""."""
    storage_copying.raise_limits()
    os.umask(0)
    directory_fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with Opened(part, mount_point) as origin:
            selection = select(origin, part.wanted)
            settings = Settings(target="/")
            Copier(directory_fd, origin, settings, keeps_owners=part.keeps_owners).copy(selection)
            return selection.entries[0].target if selection.is_file else ""
    finally:
        os.close(directory_fd)


def _from_archive(part: Part, place: str) -> Part:
    """The part, of what is in its archive."""
    _unpack(part.archive, place)
    wanted = part.wanted.replace(sources=(".",))
    return part.replace(root=place, wanted=wanted, keeps_owners=True, rules=None)


class Opened:
    """The origin of a part; trees are mounted on `mount_point` meanwhile, read-only."""

    def __init__(self, part: Part, mount_point: str) -> None:
        self._part = part
        self._mount_point = mount_point
        self._fd = -1

    def __enter__(self) -> Origin:
        part, place = self._part, self._part.root
        if part.lowers:
            place = self._mount_point
            roots.mount_to_read(list(part.lowers), place, part.driver)
        self._fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        if part.rules is None:
            return Origin(root_fd=self._fd, name=part.name)
        return Origin(root_fd=self._fd, name=part.name, rules=part.rules)

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        if self._part.lowers:
            roots.unmount(self._mount_point)


def _unpack(archive: str, target: str) -> None:
    """Unpack an archive, compressed or not, with the owners that it says."""
    from storage import compression, stream, tar
    from storage.unpack import BadEntry, Unpacker

    target_fd = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    source = os.open(archive, os.O_RDONLY | os.O_CLOEXEC)
    try:
        space = os.fstatvfs(target_fd)
        incoming = stream.LayerStream(
            lambda: os.read(source, 256 << 10),
            free_bytes=space.f_bavail * space.f_frsize,
            limits=stream.Limits(),
        )
        chunks = incoming.chunks()
        Unpacker(target_fd, None).unpack(tar.TarReader(lambda: next(chunks, b"")))
    except stream.TooLarge as error:
        why = f"{error.why}, and that would fill the disk" if error.for_disk else error.why
        raise PodError(f"the archive '{os.path.basename(archive)}' is too large: {why}") from error
    except (BadEntry, tar.InvalidArchive, compression.InvalidStream) as error:
        name = os.path.basename(archive)
        raise PodError(f"the archive '{name}' cannot be unpacked: {error.message}") from error
    finally:
        os.close(source)
        os.close(target_fd)


class Copier:
    """Copies what was selected to the target, in the file system `root_fd`."""

    def __init__(
        self, root_fd: int, origin: Origin, settings: Settings, *, keeps_owners: bool
    ) -> None:
        self._root_fd = root_fd
        self._source_fd = origin.root_fd
        self._settings = settings
        self._keeps_owners = keeps_owners
        self._owner = find_owner(root_fd, settings.owner) if settings.owner else None
        self._change = parse_chmod(settings.mode) if settings.mode else None
        self._directories: dict[str, int] = {}
        self._links: dict[tuple[int, int], str] = {}
        self._times: list[tuple[str, os.stat_result]] = []
        self._known = {path: rest for path, *rest in settings.directories}

    def copy(self, selection: Selection) -> None:
        """Raises PodError for what is in the way."""
        target = self._settings.target
        into = not selection.is_file or target.endswith("/")
        if self._settings.is_linked:
            self._describe("/")
        else:
            self._make_working_directory()
            into = into or self._is_directory(target)
        name = ""
        if not into:
            target, name = posixpath.split(target)
        top_fd = self._make_directories(target)
        self._directories[""] = top_fd
        try:
            for entry in selection.entries:
                self._copy_entry(entry, name or entry.target)
            for path, status in reversed(self._times):
                fd = self._directory(path)
                os.utime(fd, ns=(status.st_mtime_ns, status.st_mtime_ns))
        finally:
            for fd in self._directories.values():
                os.close(fd)

    # Directories of the result

    def _make_working_directory(self) -> None:
        """WORKDIR makes its directory, whose owner is the user, with the next instruction that has a layer."""
        path = self._settings.working_directory
        if path == "/" or self._is_directory(path):
            return
        parent_fd = self._make_directories(posixpath.dirname(path), owned=False)
        os.close(parent_fd)
        fd = self._make_directories(path, owned=False)
        try:
            if self._settings.user:
                os.fchown(fd, *find_owner(self._root_fd, self._settings.user))
        finally:
            os.close(fd)

    def _is_directory(self, path: str) -> bool:
        try:
            fd = inroot.open_at(self._root_fd, path, os.O_PATH | os.O_DIRECTORY)
        except OSError:
            return False
        os.close(fd)
        return True

    def _make_directories(self, path: str, *, owned: bool = True) -> int:
        """A directory, made where it is missing with those above it; those that are made get the owner of the copy."""
        missing = []
        current = posixpath.normpath(path)
        while current != "/" and not self._is_directory(current):
            missing.append(current)
            current = posixpath.dirname(current)
        path_fd = inroot.make_directory(self._root_fd, path)
        try:
            fd = os.open(mounts.fd_path(path_fd), _DIRECTORY & ~os.O_NOFOLLOW)
        except BaseException:
            os.close(path_fd)
            raise
        os.close(path_fd)
        for made in missing:
            if made in self._known:
                self._describe(made)
            elif owned and self._owner is not None:
                made_fd = inroot.open_at(self._root_fd, made, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    os.fchown(made_fd, *self._owner)
                finally:
                    os.close(made_fd)
        return fd

    def _describe(self, path: str) -> None:
        """Give a directory that was made for --link the owner and the mode that it has in the stage."""
        if path not in self._known:
            return
        mode, uid, gid = self._known[path]
        fd = inroot.open_at(self._root_fd, path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fchown(fd, uid, gid)
            os.fchmod(fd, mode)
        finally:
            os.close(fd)

    def _directory(self, path: str) -> int:
        """A directory below the target that exists, or is a link to one inside the root."""
        fd = self._directories.get(path)
        if fd is None:
            if len(self._directories) > 200:
                for old in [it for it in self._directories if it]:
                    os.close(self._directories.pop(old))
            parent, _, name = path.rpartition("/")
            fd = self._directories[path] = self._enter(self._directory(parent), name, path)
        return fd

    def _enter(self, parent_fd: int, name: str, path: str) -> int:
        try:
            return os.open(name, _DIRECTORY, dir_fd=parent_fd)
        except OSError as error:
            if error.errno not in {errno.ELOOP, errno.ENOTDIR}:
                raise
        # A link of the image, such as /lib: it is followed, inside the image.
        try:
            return inroot.open_at(
                self._root_fd,
                f"{self._settings.target}/{path}",
                os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC,
            )
        except OSError as error:
            raise PodError(
                f"'{path}' cannot be copied to '{self._settings.target}', where the image has a file of that name"
            ) from error

    # Entries

    def _copy_entry(self, entry: Entry, target: str) -> None:
        if not target:
            return  # what the target is like is its own affair
        parent, _, name = target.rpartition("/")
        to_fd = self._directory(parent)
        status = entry.status
        if stat.S_ISDIR(status.st_mode):
            self._copy_directory(to_fd, name, target, entry)
            return
        self._make_way(to_fd, name, target)
        if stat.S_ISREG(status.st_mode):
            if status.st_nlink > 1 and self._link(to_fd, name, target, status):
                return
            self._copy_file(to_fd, name, entry)
            return
        if stat.S_ISLNK(status.st_mode):
            link = os.readlink(entry.source, dir_fd=self._source_fd)
            os.symlink(link, name, dir_fd=to_fd)
        elif stat.S_ISFIFO(status.st_mode):
            os.mkfifo(name, 0o600, dir_fd=to_fd)
        elif stat.S_ISCHR(status.st_mode) and not status.st_rdev:
            return  # what overlay hides something with
        else:
            raise PodError(
                f"'{entry.source}' is a socket, and nobody listens on a copy"
                if stat.S_ISSOCK(status.st_mode)
                else f"'{entry.source}' is a device, which only the machine's root could copy"
            )
        self._set_attributes(to_fd, name, status)

    def _copy_directory(self, to_fd: int, name: str, target: str, entry: Entry) -> None:
        is_new = True
        try:
            os.mkdir(name, 0o700, dir_fd=to_fd)
        except FileExistsError:
            is_new = False
        fd = self._directory(target)
        status = entry.status
        if is_new or self._owner is not None:
            os.fchown(fd, *self._owner_of(status))
        os.fchmod(fd, self._mode_of(status))
        _copy_attributes(f"/proc/self/fd/{self._source_fd}/{entry.source}", fd)
        if is_new:
            self._times.append((target, status))

    def _copy_file(self, to_fd: int, name: str, entry: Entry) -> None:
        source = os.open(entry.source, _READ, dir_fd=self._source_fd)
        try:
            status = os.fstat(source)
            target = os.open(name, _NEW, 0o600, dir_fd=to_fd)
            try:
                _copy_content(source, target, status)
                owner = self._owner_of(status)
                if owner != (0, 0):
                    os.fchown(target, *owner)
                _copy_attributes(source, target)
                os.fchmod(target, self._mode_of(status))
                os.utime(target, ns=(status.st_mtime_ns, status.st_mtime_ns))
            finally:
                os.close(target)
        finally:
            os.close(source)

    def _link(self, to_fd: int, name: str, target: str, status: os.stat_result) -> bool:
        """Make a second name of a file that was copied already; whether it was."""
        first = self._links.setdefault((status.st_dev, status.st_ino), target)
        if first == target:
            return False
        parent, _, first_name = first.rpartition("/")
        os.link(
            first_name,
            name,
            src_dir_fd=self._directory(parent),
            dst_dir_fd=to_fd,
            follow_symlinks=False,
        )
        return True

    def _set_attributes(self, to_fd: int, name: str, status: os.stat_result) -> None:
        os.chown(name, *self._owner_of(status), dir_fd=to_fd, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):
            os.chmod(name, self._mode_of(status), dir_fd=to_fd)
        times = (status.st_mtime_ns, status.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=to_fd, follow_symlinks=False)

    def _owner_of(self, status: os.stat_result) -> tuple[int, int]:
        if self._owner is not None:
            return self._owner
        return (status.st_uid, status.st_gid) if self._keeps_owners else (0, 0)

    def _mode_of(self, status: os.stat_result) -> int:
        mode = stat.S_IMODE(status.st_mode)
        if self._change is None:
            return mode
        return self._change.apply(mode, is_directory=stat.S_ISDIR(status.st_mode))

    def _make_way(self, to_fd: int, name: str, target: str) -> None:
        try:
            os.unlink(name, dir_fd=to_fd)
        except FileNotFoundError:
            pass
        except IsADirectoryError as error:
            raise PodError(
                f"the file '{target}' cannot be copied to '{self._settings.target}', where the image has a directory "
                "of that name"
            ) from error


def _copy_content(source: int, target: int, status: os.stat_result) -> None:
    left = status.st_size
    if status.st_blocks * 512 < left:
        storage_copying.copy_data(source, target, status)  # which leaves holes out
        return
    while left:
        sent = os.sendfile(target, source, None, min(left, 1 << 30))
        if not sent:
            break
        left -= sent


def _copy_attributes(source: int | str, target: int) -> None:
    """Extended attributes that a layer keeps, such as file capabilities."""
    for name, value in storage_copying.image_xattrs(source).items():
        try:
            os.setxattr(target, name, value)
        except OSError as error:
            if error.errno not in {errno.EPERM, errno.ENOTSUP}:
                raise
