"""Copy files and trees between a live container and somewhere else, where both sides may change meanwhile.

Processes of the container may swap directories for links at any moment. So every step goes from an open directory to a
name in it that is not followed, and what was opened is asked what it is. Nothing is written through what was there
before: a file is made under another name and renamed, but on a mount point, which cannot be renamed onto.

Runs as root of the default id map, whose ids (the intermediate ones) every container's are among. The umask is 0.
"""

from __future__ import annotations

import errno
import os
import stat

from pod.base.errors import PodError
from pod.base.files import write_all
from pod.linux import inroot
from storage import copying, removal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Owner = Callable[[os.stat_result], tuple[int, int] | None]
    Identity = tuple[int, int]

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_AGAIN = os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_SPECIAL_BITS = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX
_SET_ID_BITS = stat.S_ISUID | stat.S_ISGID
_AT_ONCE = 128 << 10
_NEVER_SPARSE = 4096  # file systems that keep small files without blocks make them look like holes
_CAPABILITY = "security.capability"
_MOST_WARNINGS = 10


class CannotCopy(PodError):
    """One file could not be copied; what was copied before stays."""

    def __init__(self, shown: str, why: str, hint: str | None = None) -> None:
        super().__init__(f"'{shown}' cannot be copied: {why}", hint=hint)


def kind_of(mode: int) -> str:
    """What a file is, for people; "" for what can be copied."""
    for kind, words in _UNCOPYABLE.items():
        if stat.S_IFMT(mode) == kind:
            return words
    return ""


_UNCOPYABLE = {
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFIFO: "a named pipe",
}


class Transfer:
    """Copies into one target.

    owner            who a copy shall belong to, for the lstat of its source; None leaves it to whom the kernel gives it
    capability_root  who is root, in intermediate ids, for those programs that have capabilities; None leaves them out
    set_id           whether copies keep their set-id bits
    overwrite        whether a directory may take the place of something else, and the other way round
    """

    def __init__(
        self, owner: Owner, *, capability_root: int | None, set_id: bool, overwrite: bool
    ) -> None:
        self.warnings: list[str] = []
        self._owner = owner
        self._capability_root = capability_root
        self._mode_bits = 0o7777 if set_id else 0o7777 & ~_SET_ID_BITS
        self._overwrite = overwrite
        self._top_fd = -1
        self._own: set[Identity] = set()
        self._links: dict[Identity, tuple[str, Identity]] = {}

    def copy_directory(self, source_fd: int, target_fd: int, name: str, shown: str) -> None:
        """Copy an open directory into another one as `name`. `shown` is its path for messages."""
        self._top_fd = target_fd
        try:
            self._copy_opened(source_fd, target_fd, name, name, shown)
        except OSError as error:
            raise CannotCopy(shown, words(error), _hint(error)) from error

    def copy_file(
        self, fd: int, status: os.stat_result, target_fd: int, name: str, shown: str
    ) -> None:
        """Copy an open regular file into a directory as `name`."""
        try:
            self._copy_open(fd, status, target_fd, name, "", shown)
        except OSError as error:
            raise CannotCopy(shown, words(error), _hint(error)) from error

    def copy_content(self, source_fd: int, target_fd: int, shown: str) -> None:
        """Copy all entries of one directory into another."""
        target = os.fstat(target_fd)
        if os.path.samestat(os.fstat(source_fd), target):
            raise CannotCopy(shown, "it would be copied onto itself")
        self._top_fd = target_fd
        self._own.add((target.st_dev, target.st_ino))
        self._copy_entries(source_fd, target_fd, "", shown)

    def copy_entry(
        self, source_fd: int, name: str, target_fd: int, new_name: str, shown: str
    ) -> None:
        """Copy what has a name in a directory, unless it is gone; of a directory all that is in it."""
        self._top_fd = target_fd
        self._copy(source_fd, name, target_fd, new_name, "", shown)

    def _copy(
        self, source_fd: int, name: str, target_fd: int, new_name: str, path: str, shown: str
    ) -> None:
        """`path` is that of the copy, from the top directory of the target."""
        try:
            status = os.lstat(name, dir_fd=source_fd)
            if stat.S_ISDIR(status.st_mode):
                self._copy_directory(source_fd, name, target_fd, new_name, path, shown)
            elif stat.S_ISREG(status.st_mode):
                self._copy_file(source_fd, name, target_fd, new_name, path, shown)
            elif stat.S_ISLNK(status.st_mode):
                link = os.readlink(name, dir_fd=source_fd)
                self._make(
                    target_fd,
                    new_name,
                    shown,
                    status,
                    lambda at: os.symlink(link, at, dir_fd=target_fd),
                )
            elif stat.S_ISFIFO(status.st_mode):
                mode = stat.S_IMODE(status.st_mode) & 0o777
                self._make(
                    target_fd,
                    new_name,
                    shown,
                    status,
                    lambda at: os.mkfifo(at, mode, dir_fd=target_fd),
                )
            else:
                self._warn(f"'{shown}' is {kind_of(status.st_mode)} and was not copied")
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not _exists(source_fd, name):
                return  # it was removed while we were on the way to it
            raise CannotCopy(shown, words(error), _hint(error)) from error

    # Directories

    def _copy_directory(
        self, source_fd: int, name: str, target_fd: int, new_name: str, path: str, shown: str
    ) -> None:
        inner_fd = os.open(name, DIRECTORY, dir_fd=source_fd)
        try:
            self._copy_opened(inner_fd, target_fd, new_name, path, shown)
        finally:
            os.close(inner_fd)

    def _copy_opened(
        self, source_fd: int, target_fd: int, name: str, path: str, shown: str
    ) -> None:
        status = os.fstat(source_fd)
        if (status.st_dev, status.st_ino) in self._own:
            return  # it is being copied into itself
        is_new = self._make_directory(target_fd, name, shown)
        made_fd = os.open(name, DIRECTORY, dir_fd=target_fd)
        try:
            if not self._own:
                made = os.fstat(made_fd)
                if os.path.samestat(status, made):
                    raise CannotCopy(shown, "it would be copied onto itself")
                self._own.add((made.st_dev, made.st_ino))
            self._copy_entries(source_fd, made_fd, f"{path}/", shown)
            if is_new:
                # Last, since making entries has changed its time.
                self._set_attributes(source_fd, made_fd, status, 0o7777)
        finally:
            os.close(made_fd)

    def _copy_entries(self, source_fd: int, target_fd: int, prefix: str, shown: str) -> None:
        base = shown.rstrip("/")
        for name in sorted(os.listdir(source_fd)):
            self._copy(source_fd, name, target_fd, name, f"{prefix}{name}", f"{base}/{name}")

    def _make_directory(self, target_fd: int, name: str, shown: str) -> bool:
        """Whether it was not there before."""
        try:
            os.mkdir(name, 0o700, dir_fd=target_fd)
        except FileExistsError:
            if stat.S_ISDIR(os.lstat(name, dir_fd=target_fd).st_mode):
                return False
            if not self._overwrite:
                raise CannotCopy(
                    shown, "a directory does not take the place of a file", "--overwrite allows it"
                ) from None
            os.unlink(name, dir_fd=target_fd)
            os.mkdir(name, 0o700, dir_fd=target_fd)
        return True

    # Files

    def _copy_file(
        self, source_fd: int, name: str, target_fd: int, new_name: str, path: str, shown: str
    ) -> None:
        inner_fd = os.open(name, READ, dir_fd=source_fd)
        try:
            status = os.fstat(inner_fd)
            if not stat.S_ISREG(status.st_mode):
                raise CannotCopy(shown, "it became something else meanwhile")
            self._copy_open(inner_fd, status, target_fd, new_name, path, shown)
        finally:
            os.close(inner_fd)

    def _copy_open(
        self, fd: int, status: os.stat_result, target_fd: int, name: str, path: str, shown: str
    ) -> None:
        """`path` as for the others, "" when it is the only one."""
        identity = (status.st_dev, status.st_ino)
        if status.st_nlink > 1 and path and self._link(identity, target_fd, name, shown):
            return
        mode = stat.S_IMODE(status.st_mode) & self._mode_bits & 0o777
        try:
            made_fd = os.open(name, _NEW, mode, dir_fd=target_fd)
        except FileExistsError:
            made = self._replace_file(fd, status, target_fd, name, shown)
        else:
            made = self._fill(fd, status, made_fd, target_fd, name)
        if status.st_nlink > 1 and path:
            self._links[identity] = (path, made)

    def _fill(
        self, fd: int, status: os.stat_result, made_fd: int, target_fd: int, name: str
    ) -> Identity:
        """Give a new file its content and attributes, and close it; it goes when that fails."""
        try:
            copy_content(fd, made_fd, status)
            self._set_attributes(fd, made_fd, status, _SPECIAL_BITS)
            if status.st_nlink == 1:
                return (0, 0)
            made = os.fstat(made_fd)
            return (made.st_dev, made.st_ino)
        except BaseException:
            _unlink(target_fd, name)
            raise
        finally:
            os.close(made_fd)

    def _replace_file(
        self, fd: int, status: os.stat_result, target_fd: int, name: str, shown: str
    ) -> Identity:
        present = os.lstat(name, dir_fd=target_fd)
        if os.path.samestat(present, status):
            raise CannotCopy(shown, "it would be copied onto itself")
        self._make_way(target_fd, name, present, shown)
        other = _other_name()
        made_fd = os.open(other, _NEW, 0o600, dir_fd=target_fd)
        os.fchmod(made_fd, stat.S_IMODE(status.st_mode) & self._mode_bits & 0o777)
        made = self._fill(fd, status, made_fd, target_fd, other)
        try:
            os.rename(other, name, src_dir_fd=target_fd, dst_dir_fd=target_fd)
        except OSError as error:
            _unlink(target_fd, other)
            if error.errno != errno.EBUSY:
                raise
            self._write_again(fd, status, target_fd, name)  # something is mounted there
            return (0, 0)
        return made

    def _write_again(self, fd: int, status: os.stat_result, target_fd: int, name: str) -> None:
        """Give a file that cannot be replaced another content; it stays whose it was."""
        present_fd = os.open(name, _AGAIN, dir_fd=target_fd)
        try:
            if not stat.S_ISREG(os.fstat(present_fd).st_mode):
                raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), name)
            os.lseek(fd, 0, os.SEEK_SET)
            copy_content(fd, present_fd, status)
        finally:
            os.close(present_fd)

    def _make_way(self, target_fd: int, name: str, present: os.stat_result, shown: str) -> None:
        """Remove a directory for something else, where that is allowed; what is no directory is renamed onto."""
        if not stat.S_ISDIR(present.st_mode):
            return
        if not self._overwrite:
            raise CannotCopy(
                shown, "a file does not take the place of a directory", "--overwrite allows it"
            )
        removal.remove_at(target_fd, name)

    def _link(self, identity: Identity, target_fd: int, name: str, shown: str) -> bool:
        """Make `name` another name of the first copy of that file; False when it has to be copied again."""
        if identity not in self._links:
            return False
        path, made = self._links[identity]
        other = _other_name()
        try:
            first_fd, first_name = inroot.open_parent(self._top_fd, path)
            try:
                os.link(
                    first_name,
                    other,
                    src_dir_fd=first_fd,
                    dst_dir_fd=target_fd,
                    follow_symlinks=False,
                )
            finally:
                os.close(first_fd)
        except OSError:
            return False
        linked = os.lstat(other, dir_fd=target_fd)
        if (linked.st_dev, linked.st_ino) != made:
            _unlink(target_fd, other)  # somebody has put something else in its place
            return False
        try:
            self._make_way(target_fd, name, os.lstat(name, dir_fd=target_fd), shown)
        except FileNotFoundError:
            pass
        except BaseException:
            _unlink(target_fd, other)
            raise
        os.rename(other, name, src_dir_fd=target_fd, dst_dir_fd=target_fd)
        _unlink(target_fd, other)  # rename(2) does nothing when both are the same file already
        return True

    # Links and pipes

    def _make(
        self,
        target_fd: int,
        name: str,
        shown: str,
        status: os.stat_result,
        make: Callable[[str], None],
    ) -> None:
        try:
            make(name)
            at = name
        except FileExistsError:
            self._make_way(target_fd, name, os.lstat(name, dir_fd=target_fd), shown)
            at = _other_name()
            make(at)
        owner = self._owner(status)
        if owner is not None:
            os.chown(at, *owner, dir_fd=target_fd, follow_symlinks=False)
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(at, ns=times, dir_fd=target_fd, follow_symlinks=False)
        if at != name:
            try:
                os.rename(at, name, src_dir_fd=target_fd, dst_dir_fd=target_fd)
            except BaseException:
                _unlink(target_fd, at)
                raise

    # Attributes

    def _set_attributes(
        self, source_fd: int, target_fd: int, status: os.stat_result, chmod_for: int
    ) -> None:
        """Owner, then mode, when it has any of the bits `chmod_for`, then extended attributes and times."""
        owner = self._owner(status)
        if owner is not None:
            os.fchown(target_fd, *owner)
        mode = stat.S_IMODE(status.st_mode) & self._mode_bits
        if mode & chmod_for:
            os.fchmod(target_fd, mode)
        attributes = copying.image_xattrs(source_fd)
        capability = attributes.pop(_CAPABILITY, None)
        if capability is not None and self._capability_root is not None:
            plain = copying.without_root_id(capability)
            attributes[_CAPABILITY] = copying.for_root(plain, self._capability_root)
        for name, value in attributes.items():
            try:
                os.setxattr(target_fd, name, value)
            except OSError as error:
                if error.errno not in {errno.ENOTSUP, errno.EPERM, errno.ENODATA}:
                    raise
        os.utime(target_fd, ns=(status.st_atime_ns, status.st_mtime_ns))

    def _warn(self, sentence: str) -> None:
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.append(sentence)
        elif len(self.warnings) == _MOST_WARNINGS:
            self.warnings.append("there are more of them")


def copy_content(source: int, target: int, status: os.stat_result) -> None:
    """The content of a regular file. Files of /proc and /sys say that they are empty, and are read all the same."""
    size = status.st_size
    if size > _AT_ONCE or (size > _NEVER_SPARSE and status.st_blocks * 512 < size):
        copying.copy_data(source, target, status)
        return
    while chunk := os.read(source, _AT_ONCE):
        write_all(target, chunk)
        if len(chunk) == size:
            break


def _exists(directory_fd: int, name: str) -> bool:
    try:
        os.lstat(name, dir_fd=directory_fd)
    except OSError:
        return False
    return True


def _unlink(directory_fd: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=directory_fd)
    except OSError:
        pass


def _other_name() -> str:
    return f".pod-cp-{os.urandom(6).hex()}"


def words(error: OSError) -> str:
    """Why it failed, for people."""
    special = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EROFS: "the file system is read-only",
        errno.ELOOP: "the symbolic links on the way never end, or a directory became one meanwhile",
        errno.ENOTDIR: "a directory became something else meanwhile",
    }
    return special.get(error.errno or 0) or error.strerror or str(error)


def _hint(error: OSError) -> str | None:
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "you must be able to read it, and to write where it goes"
    return None
