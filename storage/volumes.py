"""Named volumes: `volumes/NAME/_data`, whose files belong to whoever made them in a container."""

from __future__ import annotations

import os
import stat

from pod.base import files
from pod.base.errors import PodError
from pod.linux import idmap
from storage import overlayfs
from storage.directories import make_private, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pod.linux.processes import Child
    from storage.merged import MergedDirectory
    from storage.staging import Staging
    from storage.usage import Usage

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class VolumeExists(PodError):
    """The name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"volume '{name}' exists already", hint=f"pod volume rm {name}")


class VolumeNotFound(PodError):
    """There is no volume with this name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"volume '{name}' is not here", hint="pod volume ls")


class ArchiveError(PodError):
    """An archive cannot be put into a volume."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"the archive cannot be imported into volume '{name}': {why}")


class VolumeStore:
    """The volumes in `directory`. Names are checked by the caller; who uses a volume is known to the database alone.

    The directory may be on another file system than the rest of the store.
    """

    def __init__(self, directory: str, staging: Staging) -> None:
        self.directory = directory
        self._staging = staging

    def path(self, name: str) -> str:
        """The directory that containers see."""
        return f"{self.directory}/{name}/_data"

    def has(self, name: str) -> bool:
        """Whether the volume is here."""
        return os.path.isdir(self.path(name))

    def create(self, name: str) -> str:
        """A new, empty volume; the directory that containers see. Raises VolumeExists."""
        data = self.path(name)
        # It may be there, without data, from a command that was killed.
        make_private(f"{self.directory}/{name}")
        try:
            os.mkdir(data)
        except FileExistsError:
            raise VolumeExists(name) from None
        os.chmod(data, 0o755)
        return data

    def remove(self, name: str) -> None:
        """Take a volume away; its tree goes to the trash. Raises VolumeNotFound."""
        if not os.path.lexists(f"{self.directory}/{name}"):
            raise VolumeNotFound(name)
        self._staging.discard(f"{self.directory}/{name}")

    def mark(self, name: str) -> None:
        """Say that the volume is being removed, for the case that whoever does it is killed."""
        try:
            os.close(os.open(self._mark(name), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except FileNotFoundError:
            pass  # it has lost its directory

    def unmark(self, name: str) -> None:
        """It stays after all."""
        try:
            os.unlink(self._mark(name))
        except FileNotFoundError:
            pass

    def is_abandoned(self, name: str) -> bool:
        """Whether a directory that belongs to no volume is one that was being removed, or made and never used."""
        directory = f"{self.directory}/{name}"
        if not os.path.isdir(directory):
            return False
        try:
            if os.path.exists(self._mark(name)):
                return True
            return set(names(directory)) <= {"_data"} and not names(f"{directory}/_data")
        except PermissionError:
            return False

    def _mark(self, name: str) -> str:
        return f"{self.directory}/{name}/removing"

    def list(self) -> Sequence[str]:
        """The names of all volumes, sorted."""
        return sorted(names(self.directory))

    def copy_up(self, name: str, layers: Sequence[str], path: str) -> bool:
        """Fill an empty volume with what an image has at `path`; whether there was anything.

        `layers` are layer directories, topmost first. Owner and mode of the volume's directory become those of the
        image's directory. The copy appears in the volume all at once. The caller holds the volume's lock.
        """
        data = self.path(name)
        marks = overlayfs.marks_here()
        try:
            if os.listdir(data):
                return False
            if _is_trivial(layers, path, marks, data):
                return False
        except PermissionError:
            pass  # only root of the id map can look
        filled: bool = idmap.run_inside(
            lambda: _copy_up(layers, path, marks, data), what="fill a volume", namespaces=0
        )
        return filled

    def has_place(self, layers: Sequence[str], path: str) -> bool:
        """Whether an image has a directory at `path`; `layers` as for `copy_up`."""
        from storage import merged

        def look() -> bool:
            with merged.open_merged(layers, marks) as root:
                found = merged.find_directory(root, path)
                if found is None:
                    return False
                with found:
                    return True

        marks = overlayfs.marks_here()
        try:
            return look()
        except PermissionError:  # only root of the id map can look
            return bool(idmap.run_inside(look, what="look into an image", namespaces=0))

    def start_export(self, name: str, out_fd: int) -> Child:
        """Start a child that writes the volume as a tar archive to `out_fd`; the caller takes its result."""
        data = self.path(name)
        if not self.has(name):
            raise VolumeNotFound(name)
        marks = overlayfs.marks_here()

        def work() -> None:
            from storage import tree

            tree.write_tree([data], marks, out_fd)

        return idmap.start_inside(work, what="export a volume", keep={out_fd}, namespaces=0)

    def import_archive(self, name: str, source_fd: int) -> None:
        """Unpack a tar archive, compressed or not, over what the volume has. Raises VolumeNotFound, ArchiveError."""
        if not self.has(name):
            raise VolumeNotFound(name)
        data = self.path(name)
        problem: str = idmap.run_inside(
            lambda: _import(data, source_fd), what="import a volume", keep={source_fd}, namespaces=0
        )
        if problem:
            raise ArchiveError(name, problem)

    def usage(self, volumes: Sequence[str]) -> Sequence[Usage]:
        """The disk space of each of these volumes."""
        from storage.rootfs import measure_inside

        return measure_inside([self.path(name) for name in volumes])


def _is_trivial(layers: Sequence[str], path: str, marks: overlayfs.Marks, data: str) -> bool:
    """Whether the image has nothing at `path`, or an empty directory of the caller's; then no child is needed."""
    from storage import merged

    with merged.open_merged(layers, marks) as root:
        source = merged.find_directory(root, path)
        if source is None:
            return True
        with source:
            if source.items():
                return False
            theirs, ours = source.status, os.stat(data)
            if (theirs.st_uid, theirs.st_gid) != (ours.st_uid, ours.st_gid):
                return False
            os.chmod(data, stat.S_IMODE(theirs.st_mode))
            return True


def _copy_up(layers: Sequence[str], path: str, marks: overlayfs.Marks, data: str) -> bool:
    from storage import merged

    with merged.open_merged(layers, marks) as root:
        source = merged.find_directory(root, path)
        if source is None or os.listdir(data):
            return False
        with source:
            _copy_and_rename(source, f"{data}.new", data)
    return True


def _copy_and_rename(source: MergedDirectory, staged: str, data: str) -> None:
    from storage import copying, removal

    removal.remove_as_caller(staged)  # of a command that was killed
    os.mkdir(staged, 0o700)
    staged_fd = os.open(staged, _DIRECTORY)
    try:
        copying.copy_merged(source, staged_fd)
    finally:
        os.close(staged_fd)
    os.rename(staged, data)  # onto the empty directory, rename(2)
    files.sync_directory(os.path.dirname(data))


def _import(data: str, source_fd: int) -> str:
    """Inside: unpack; "" or what was wrong."""
    from storage import compression, stream, tar
    from storage.unpack import BadEntry, Unpacker

    os.umask(0)
    root_fd = os.open(data, _DIRECTORY)
    status = os.fstatvfs(root_fd)
    incoming = stream.LayerStream(
        stream.read_from(source_fd),
        free_bytes=status.f_bavail * status.f_frsize,
        limits=stream.Limits(),
    )
    unpacker = Unpacker(root_fd, None)
    try:
        unpacker.unpack(tar.TarReader(stream.prefetched(incoming.chunks())))
    except (BadEntry, tar.InvalidArchive, compression.InvalidStream, stream.TooLarge) as error:
        return error.message
    if unpacker.root_mtime_ns is not None:
        os.fchown(root_fd, *unpacker.root_owner)
        os.fchmod(root_fd, unpacker.root_mode)
    return ""
