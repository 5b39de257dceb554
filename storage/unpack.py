"""Turn the archive of a layer into a tree that can be the lower directory of an overlay.

Runs as root of the id map. Nothing outside the tree is touched, whatever the archive says: every directory is reached
through `linux/inroot.py`, every entry is made new in an open directory and never written through. What the archive says
about lower layers (`.wh.` names) becomes what the kernel reads: see the OCI image specification, "Whiteouts", and the
kernel's Documentation/filesystems/overlayfs.rst.
"""

from __future__ import annotations

import errno
import os
import stat

from pod.base import log
from pod.base.errors import PodError
from pod.linux import inroot
from storage import copying, removal, tar
from storage.overlayfs import IMPLICIT_XATTR, OWNER_XATTR, is_own_xattr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from storage.overlayfs import Marks

_WHITEOUT = b".wh."
_META = b".wh..wh."
_OPAQUE = b".wh..wh..opq"
_MOST_OPEN = 200
_MOST_REMEMBERED = (
    256 << 20
)  # a layer with more directories than anybody has gets inexact times, and not all our memory
_PER_DIRECTORY = 300
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX


class BadEntry(PodError):
    """An entry that may not be unpacked, or cannot be; `entry` is its name for people, `why` a sentence about it."""

    def __init__(self, entry: str, why: str, hint: str | None = None) -> None:
        super().__init__(f"entry '{entry}': {why}", hint=hint)
        self.entry = entry
        self.why = why


class Unpacker:
    """Unpacks one archive into the directory `root_fd`. Set the umask to 0 before.

    `marks`: how to hide what lower layers have; without them, names with `.wh.` are names like others.
    `single_id`: the map has one id, so owners are kept in an extended attribute instead. `make_devices`: as the real
    root; otherwise device files are left out and counted.
    """

    def __init__(
        self,
        root_fd: int,
        marks: Marks | None,
        *,
        single_id: bool = False,
        make_devices: bool = False,
        max_entries: int = 1 << 62,
        capability_root: int = 0,
    ) -> None:
        self.entries = 0
        self.skipped_devices = 0
        self.skipped_xattrs = 0
        self.root_opaque = False
        self.root_mode = 0o755
        self.root_owner = (0, 0)
        self.root_mtime_ns: int | None = None
        self.seen_owners = {(0, 0)}  # of directories that no entry names, at least
        self._root_fd = root_fd
        self._single_id = single_id
        self._make_devices = make_devices
        self._capability_root = capability_root
        self._max_entries = max_entries
        self._marks = marks
        # Of directories: modification time, and the mode if it has special bits. They are set at the end, since what is
        # made in a directory changes the one, and would inherit its group because of the other.
        self._directories: dict[bytes, tuple[int, int]] = {}
        self._remembered = 0  # bytes, roughly
        self._names: dict[bytes, int] = {b"": root_fd}

    def unpack(self, reader: tar.TarReader) -> None:
        """All entries. Raises BadEntry, tar.InvalidArchive, and OSError of disks that are full or broken."""
        next_entry = reader.next_entry
        owners = self.seen_owners
        make_file, make_other, marks = self._make_file, self._make_other, self._marks
        entry = None
        try:
            while (entry := next_entry()) is not None:
                self.entries += 1
                owners.add((entry.uid, entry.gid))
                if self.entries > self._max_entries:
                    raise BadEntry(_shown(entry.name), f"it is beyond {self._max_entries} entries")
                path = _clean(entry.name)
                directory, _, name = path.rpartition(b"/")
                if _WHITEOUT in path and marks and self._is_mark(path, marks):
                    continue
                if entry.kind == tar.REGULAR:
                    make_file(entry, reader, directory, name)
                elif name:
                    make_other(entry, path, directory, name)
                else:
                    self._describe_root(entry)
            self._finish_directories()
            if self._marks and self.root_mtime_ns is None:
                _mark_implicit(self._root_fd)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}:
                raise
            shown = "" if entry is None else _shown(entry.name)
            raise BadEntry(shown, _words(error), _hint(error, entry)) from error
        except ValueError as error:  # a zero byte in a name
            raise BadEntry("" if entry is None else _shown(entry.name), str(error)) from error
        finally:
            self._close_directories()

    # Entries

    def _make_file(
        self, entry: tar.Entry, reader: tar.TarReader, directory: bytes, name: bytes
    ) -> None:
        if not name:
            raise BadEntry(_shown(entry.name), "the root of the layer must be a directory")
        parent_fd = self._directory(directory)
        mode = entry.mode
        try:
            fd = os.open(name, _NEW, mode & 0o777, dir_fd=parent_fd)
        except FileExistsError:
            self._clear(directory, parent_fd, name)
            fd = os.open(name, _NEW, mode & 0o777, dir_fd=parent_fd)
        try:
            if entry.sparse is not None:
                _write_sparse(fd, entry, reader)
            else:
                data = reader.small_data()
                if data is None:
                    for chunk in reader.data():
                        _write(fd, chunk)
                elif data:
                    _write(fd, data)
            if self._single_id:
                mode = self._keep_owner(fd, entry)
            elif entry.uid or entry.gid:
                os.fchown(fd, entry.uid, entry.gid)
            if mode & _SPECIAL_BITS:
                os.fchmod(fd, mode)  # after chown, which clears them
            if entry.xattrs:
                self._set_xattrs(fd, entry)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(fd)

    def _make_other(self, entry: tar.Entry, path: bytes, directory: bytes, name: bytes) -> None:
        parent_fd = self._directory(directory)
        kind = entry.kind
        if kind == tar.DIRECTORY:
            self._make_directory(entry, path, directory, parent_fd, name)
            return
        if kind == tar.LINK:
            self._make_link(entry, directory, parent_fd, name)
            return
        if kind == tar.SYMLINK:
            try:
                os.symlink(entry.link, name, dir_fd=parent_fd)
            except FileExistsError:
                self._clear(directory, parent_fd, name)
                os.symlink(entry.link, name, dir_fd=parent_fd)
        elif kind == tar.FIFO:
            self._clear(directory, parent_fd, name)
            os.mkfifo(name, entry.mode & 0o777, dir_fd=parent_fd)
        else:
            self._clear(directory, parent_fd, name)
            device = os.makedev(_device_number(entry.major), _device_number(entry.minor))
            if not self._make_devices or device == 0:  # 0:0 would be a whiteout
                self.skipped_devices += 1
                return
            file_type = stat.S_IFCHR if kind == tar.CHARACTER else stat.S_IFBLK
            os.mknod(name, file_type | entry.mode & 0o777, device, dir_fd=parent_fd)
        if not self._single_id and (entry.uid or entry.gid):
            os.chown(name, entry.uid, entry.gid, dir_fd=parent_fd, follow_symlinks=False)
        if kind != tar.SYMLINK and entry.mode & _SPECIAL_BITS:
            os.chmod(name, entry.mode, dir_fd=parent_fd)  # made a moment ago, it is no link
        times = (entry.mtime_ns, entry.mtime_ns)
        os.utime(name, ns=times, dir_fd=parent_fd, follow_symlinks=False)

    def _make_directory(
        self, entry: tar.Entry, path: bytes, directory: bytes, parent_fd: int, name: bytes
    ) -> None:
        mode = entry.mode
        try:
            os.mkdir(name, mode & 0o777, dir_fd=parent_fd)
        except FileExistsError:
            status = os.lstat(name, dir_fd=parent_fd)
            if stat.S_ISDIR(status.st_mode):
                os.chmod(name, mode & 0o777, dir_fd=parent_fd)
            else:
                self._clear(directory, parent_fd, name)
                os.mkdir(name, mode & 0o777, dir_fd=parent_fd)
                if self._marks and self._marks.is_whiteout(status):
                    # Removed below and made anew here: nothing of the lower directory may shine through.
                    _mark_opaque(parent_fd, name, self._marks)
        if entry.xattrs or self._single_id:
            fd = os.open(name, _DIRECTORY, dir_fd=parent_fd)
            try:
                if self._single_id:
                    mode = self._keep_owner(fd, entry)
                elif entry.uid or entry.gid:
                    os.fchown(fd, entry.uid, entry.gid)
                if entry.xattrs:
                    self._set_xattrs(fd, entry)
            finally:
                os.close(fd)
        elif entry.uid or entry.gid:
            os.chown(name, entry.uid, entry.gid, dir_fd=parent_fd, follow_symlinks=False)
        self._directories[path] = (entry.mtime_ns, mode)
        self._remembered += len(path) + _PER_DIRECTORY
        if self._remembered > _MOST_REMEMBERED:
            self._finish_directories()

    def _make_link(self, entry: tar.Entry, directory: bytes, parent_fd: int, name: bytes) -> None:
        target_directory, _, target = _clean(entry.link).rpartition(b"/")
        if not target:
            raise BadEntry(_shown(entry.name), "it is a hard link to the root of the layer")
        if len(self._names) > _MOST_OPEN - 2:
            self._close_oldest()  # now, so that opening the one does not close the other
        target_fd = self._directory(target_directory, create=False)
        parent_fd = self._directory(directory)
        try:
            _link(target, target_fd, name, parent_fd)
        except FileExistsError:
            ours = os.lstat(name, dir_fd=parent_fd)
            theirs = os.lstat(target, dir_fd=target_fd)
            if (ours.st_dev, ours.st_ino) == (theirs.st_dev, theirs.st_ino):
                return  # to itself, or given twice
            self._clear(directory, parent_fd, name)
            _link(
                target,
                self._directory(target_directory, create=False),
                name,
                self._directory(directory),
            )

    def _describe_root(self, entry: tar.Entry) -> None:
        if entry.kind != tar.DIRECTORY:
            raise BadEntry(_shown(entry.name), "the root of the layer must be a directory")
        # Set by the parent once the tree has its place: a directory that its owner may not write cannot be moved.
        self.root_mode = entry.mode
        self.root_owner = (entry.uid, entry.gid)
        self.root_mtime_ns = entry.mtime_ns
        if self._single_id:
            self.root_mode = self._keep_owner(self._root_fd, entry)
            self.root_owner = (0, 0)
        if entry.xattrs:
            self._set_xattrs(self._root_fd, entry)

    # What hides the lower layers

    def _is_mark(self, path: bytes, marks: Marks) -> bool:
        """Deal with a `.wh.` name; False when it is an ordinary one after all."""
        directory, _, name = path.rpartition(b"/")
        if name == _OPAQUE:
            self._make_opaque(directory, marks)
            return True
        if any(part.startswith(_META) for part in path.split(b"/")):
            return True  # bookkeeping of aufs
        if not name.startswith(_WHITEOUT):
            return False
        hidden = name[len(_WHITEOUT) :]
        if hidden in {b"", b".", b".."}:
            raise BadEntry(_shown(path), "it would remove its own directory")
        self._make_whiteout(directory, hidden, marks)
        return True

    def _make_whiteout(self, directory: bytes, name: bytes, marks: Marks) -> None:
        parent_fd = self._directory(directory)
        try:
            status = os.lstat(name, dir_fd=parent_fd)
        except FileNotFoundError:
            marks.make_whiteout(parent_fd, name)
            return
        # It is in this layer too, and a whiteout is about the layers below.
        if stat.S_ISDIR(status.st_mode):
            _mark_opaque(parent_fd, name, marks)

    def _make_opaque(self, directory: bytes, marks: Marks) -> None:
        if not directory:
            self.root_opaque = (
                True  # overlay does not look for a mark there; see LayerRecord.opaque
            )
            marks.make_opaque(self._root_fd)
            return
        # The directory is made, when its own entry has not come.
        _mark_opaque(self._directory(directory), b".", marks)

    # Attributes

    def _set_xattrs(self, fd: int, entry: tar.Entry) -> None:
        assert entry.xattrs is not None
        for name, value in entry.xattrs.items():
            capability = name == b"security.capability"
            if not capability and (not name.startswith(b"user.") or is_own_xattr(name)):
                self._skip_xattr(entry, name)
                continue
            try:
                if capability:
                    plain = copying.without_root_id(value)
                    value = copying.for_root(plain, self._capability_root)  # noqa: PLW2901
                os.setxattr(fd, name, value)
            except OSError as error:
                if error.errno == errno.EINVAL:
                    why = f"its extended attribute '{_shown(name)}' has a value that makes no sense"
                    raise BadEntry(_shown(entry.name), why) from error
                if error.errno not in {errno.ENOTSUP, errno.EPERM}:
                    raise
                self._skip_xattr(entry, name)

    def _skip_xattr(self, entry: tar.Entry, name: bytes) -> None:
        self.skipped_xattrs += 1
        if log.is_shown("debug"):
            log.debug(f"extended attribute '{_shown(name)}' of '{_shown(entry.name)}' is left out")

    def _keep_owner(self, fd: int, entry: tar.Entry) -> int:
        """In single-id mode: note the true owner; the mode without those set-id bits that would now mean the caller."""
        if entry.uid or entry.gid:
            value = f"{entry.uid}:{entry.gid}:{entry.mode:o}"
            try:
                os.setxattr(fd, OWNER_XATTR, value.encode())
            except OSError as error:
                if error.errno != errno.ENOTSUP:
                    raise
        mode = entry.mode
        if entry.uid:
            mode &= ~stat.S_ISUID
        if entry.gid:
            mode &= ~stat.S_ISGID
        return mode

    # Directories

    def _directory(self, path: bytes, *, create: bool = True) -> int:
        """A descriptor of the directory `path`; it stays ours, and valid until some more have been asked for."""
        fd = self._names.get(path)
        if fd is not None:
            return fd
        if len(self._names) > _MOST_OPEN:
            self._close_oldest()
        name = os.fsdecode(path)
        if create:
            fd = inroot.make_directory(self._root_fd, name)
        else:
            fd = inroot.open_at(self._root_fd, name, os.O_PATH | os.O_DIRECTORY)
        self._names[path] = fd
        return fd

    def _clear(self, directory: bytes, parent_fd: int, name: bytes) -> None:
        """Remove what an earlier entry made here, so that the later one counts."""
        try:
            os.unlink(name, dir_fd=parent_fd)
        except FileNotFoundError:
            return
        except (IsADirectoryError, PermissionError):
            removal.remove_at(parent_fd, name)
        # Directories that we have open may be among those removed, or have been reached through a removed link.
        keep = self._names.pop(directory)
        self._close_directories()
        self._names[directory] = keep
        path = directory + b"/" + name if directory else name
        self._directories.pop(path, None)

    def _finish_directories(self) -> None:
        for path, (mtime_ns, mode) in self._directories.items():
            directory, _, name = path.rpartition(b"/")
            try:
                parent_fd = self._directory(directory, create=False)
                status = os.lstat(name, dir_fd=parent_fd)
            except (FileNotFoundError, NotADirectoryError):
                continue  # it was removed with its parent
            if not stat.S_ISDIR(status.st_mode):
                continue
            if mode & _SPECIAL_BITS:
                os.chmod(name, mode, dir_fd=parent_fd)
            os.utime(name, ns=(mtime_ns, mtime_ns), dir_fd=parent_fd, follow_symlinks=False)
        self._directories.clear()
        self._remembered = 0

    def _close_oldest(self) -> None:
        for path in list(self._names)[: _MOST_OPEN // 2]:
            if path:
                os.close(self._names.pop(path))

    def _close_directories(self) -> None:
        for path, fd in self._names.items():
            if path:
                os.close(fd)
        self._names = {b"": self._root_fd}


def _clean(name: bytes) -> bytes:
    """A path below the root, without empty components, "." and ".."; "" for the root itself."""
    if b"/." not in name and b"//" not in name and name[:1] not in {b"/", b"."}:
        return name.rstrip(b"/")
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                raise BadEntry(_shown(name), "it lies outside of the layer")
            parts.pop()
        elif part and part != b".":
            parts.append(part)
    return b"/".join(parts)


def _mark_opaque(parent_fd: int, name: bytes, marks: Marks) -> None:
    fd = os.open(name, _DIRECTORY, dir_fd=parent_fd)
    try:
        marks.make_opaque(fd)
    finally:
        os.close(fd)


def _link(target: bytes, target_fd: int, name: bytes, parent_fd: int) -> None:
    os.link(target, name, src_dir_fd=target_fd, dst_dir_fd=parent_fd, follow_symlinks=False)


def _write(fd: int, data: bytes) -> None:
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])


def _write_sparse(fd: int, entry: tar.Entry, reader: tar.TarReader) -> None:
    assert entry.sparse is not None
    for offset, length in entry.sparse:
        os.lseek(fd, offset, os.SEEK_SET)
        left = length
        while left:
            piece = reader.take(min(left, 1 << 20))
            _write(fd, piece)
            left -= len(piece)
    os.ftruncate(fd, entry.real_size)


def _mark_implicit(root_fd: int) -> None:
    try:
        os.setxattr(root_fd, IMPLICIT_XATTR, b"y")
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise


def _device_number(number: int) -> int:
    if number > 0xFFFFFFF:
        raise ValueError("a device number is out of range")
    return number


def _shown(name: bytes) -> str:
    """A name for people: what cannot be printed is escaped, and what is endless is cut."""
    text = name.decode("utf-8", "backslashreplace")
    text = "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )
    return text if len(text) <= 200 else f"{text[:200]}..."


def _words(error: OSError) -> str:
    special = {
        errno.ENAMETOOLONG: "the name is too long",
        errno.ENOTDIR: "something that is no directory is in the way",
        errno.ENOENT: "what it needs is not in this layer",
        errno.ELOOP: "the symbolic links on the way to it never end",
        errno.EINVAL: "an id or number is outside of what this system can store",
        errno.EOVERFLOW: "an id is outside of the ids that you have",
        errno.EFBIG: "it is larger than this file system allows",
    }
    return special.get(error.errno or 0) or error.strerror or str(error)


def _hint(error: OSError, entry: tar.Entry | None) -> str | None:
    if entry is None or error.errno not in {errno.EINVAL, errno.EOVERFLOW}:
        return None
    return f"it belongs to {entry.uid}:{entry.gid}: a larger range in /etc/subuid and /etc/subgid may be needed"
