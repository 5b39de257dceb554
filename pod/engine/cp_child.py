"""The child of `pod cp`, which copies; see cp.py. It is root of the id map in which both ends have their files."""

from __future__ import annotations

import os
import stat

from pod.base import log
from pod.base.errors import PodError
from pod.engine.cp_ends import STREAM, Location
from pod.linux import idmap, inroot
from pod.spec import users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.engine.cp_ends import End, Options
    from pod.linux.idmap import IdMap

_PATH_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_MOST_TEXT = 4 << 20
_NOBODY = 65534


class Work:
    """What the child does."""

    def __init__(self, source: End, target: End, options: Options, archive_fd: int) -> None:
        self.archive_fd = archive_fd  # of what comes in, if anything does
        self.source = source
        self.target = target
        self.options = options
        self.single_id = sum(count for _, _, count in idmap.default_maps()[0]) == 1

    def run(self) -> list[str]:
        from storage import copying

        os.umask(0)
        copying.raise_limits()
        visits = self._mount()
        try:
            if self.target.location.path == STREAM and not self.target.location.container:
                return self._write_archive()
            if self.source.location.path == STREAM and not self.source.location.container:
                return self._unpack()
            return self._copy()
        finally:
            for visit in visits:
                visit.end()

    def _mount(self) -> list[Any]:
        visits: list[Any] = []
        by_container: dict[str, int] = {}
        for end in (self.source, self.target):
            if end.mount is not None:
                if end.identity not in by_container:
                    from pod.runtime.visit import Visit

                    visits.append(Visit(*end.mount))
                    by_container[end.identity] = visits[-1].root_fd
                end.root_fd = by_container[end.identity]
        return visits

    # Places

    def _open(self, end: End, path: str, flags: int) -> int:
        """Open a path of an end with links followed, inside the root if it is a container's."""
        if end.identity:
            return inroot.open_at(end.root_fd, path, flags | os.O_CLOEXEC)
        return os.open(path, flags | os.O_CLOEXEC)

    def _open_directory(self, end: End, path: str) -> int:
        """A directory that can be listed and walked from."""
        held_fd = self._open(end, path, os.O_PATH | os.O_DIRECTORY)
        try:
            return os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=held_fd)
        finally:
            os.close(held_fd)

    def _look(self, end: End, path: str) -> os.stat_result | None:
        """stat(2) with links followed; None when there is nothing."""
        try:
            fd = self._open(end, path, os.O_PATH)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _failed(end, error) from error
        try:
            return os.fstat(fd)
        finally:
            os.close(fd)

    def _find_source(self) -> os.stat_result:
        from storage.transfer import CannotCopy, kind_of

        end = self.source
        status = self._look(end, end.location.path)
        if status is None:
            where = (
                f"in container '{end.location.container}'" if end.identity else "on this machine"
            )
            raise PodError(f"'{end.location.path}' does not exist {where}")
        if what := kind_of(status.st_mode):
            raise CannotCopy(str(end.location), f"it is {what}")
        if end.location.path.endswith("/") and not stat.S_ISDIR(status.st_mode):
            raise CannotCopy(str(end.location), "it is no directory, as the slash at its end says")
        return status

    # Owners

    def _owner(self, to_container: bool) -> Callable[[os.stat_result], tuple[int, int] | None]:
        """Whose a copy shall be, in intermediate ids; None for whoever makes it."""
        if self.single_id:
            return lambda _: None
        if not to_container:
            return self._kept if self.options.archive else lambda _: None
        if self.options.archive:
            return self._translated if self.source.identity else self._kept_in_container
        user = self._user(self.target)
        return lambda _: user

    def _kept(self, status: os.stat_result) -> tuple[int, int]:
        return status.st_uid, status.st_gid

    def _kept_in_container(self, status: os.stat_result) -> tuple[int, int]:
        """The same person out here, if there is one in the container; otherwise its root."""
        uids, gids = self.target.maps or (None, None)
        return _mapped(status.st_uid, uids), _mapped(status.st_gid, gids)

    def _translated(self, status: os.stat_result) -> tuple[int, int]:
        """Who has the same number in the other container."""
        from storage.tree import inside

        uid, gid = status.st_uid, status.st_gid
        if self.source.maps is not None:
            uid, gid = inside(self.source.maps[0], uid), inside(self.source.maps[1], gid)
        return self._intermediate(uid, gid)

    def _intermediate(self, uid: int, gid: int) -> tuple[int, int]:
        """Ids of the target container as intermediate ones."""
        if self.target.maps is None:
            return uid, gid
        return _outside(self.target.maps[0], uid), _outside(self.target.maps[1], gid)

    def _user(self, end: End) -> tuple[int, int]:
        """The container's user, or its root when its files do not know that one."""
        passwd, group = (self._text(end, f"/etc/{name}") for name in ("passwd", "group"))
        try:
            user = users.lookup(end.user or "0", passwd, group)
        except PodError as error:
            log.info(f"{error.message}; what is copied belongs to root")
            return self._intermediate(0, 0)
        return self._intermediate(user.uid, user.gid)

    def _become(self, owner: tuple[int, int]) -> None:
        """Be who makes the copies: root of the container that is written to, or the caller. All capabilities stay.

        A file system that belongs to a user namespace takes no files of somebody who is nobody there
        (user_namespaces(7), EOVERFLOW).
        """
        if owner == (0, 0):
            return
        from pod.linux import syscalls

        uid, gid = owner
        syscalls.prctl(syscalls.PR_SET_SECUREBITS, syscalls.SECBIT_NO_SETUID_FIXUP)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)

    def _text(self, end: End, path: str) -> str:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
        try:
            fd = self._open(end, path, flags)
        except OSError:
            return ""
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode) or status.st_size > _MOST_TEXT:
                return ""
            return os.read(fd, status.st_size).decode("utf-8", "surrogateescape")
        finally:
            os.close(fd)

    # The three kinds of work

    def _copy(self) -> list[str]:
        from storage.transfer import CannotCopy, Transfer

        status = self._find_source()
        to_container = bool(self.target.identity)
        root = self._intermediate(0, 0)[0] if to_container else 0
        keeps = to_container or self.options.archive
        transfer = Transfer(
            self._owner(to_container),
            capability_root=root if keeps else None,
            set_id=keeps,
            overwrite=self.options.overwrite,
        )
        path, shown = self.source.location.path, str(self.source.location)
        name = _name_of(path, local=not self.source.identity)
        is_directory = stat.S_ISDIR(status.st_mode)
        directory, new_name = self._place(name, is_directory, _means_content(path))
        self._become(self._intermediate(0, 0) if to_container else self.target.own)
        target_fd = self._open_directory(self.target, directory)
        try:
            if is_directory:
                source_fd = self._open_directory(self.source, path)
                try:
                    if new_name:
                        transfer.copy_directory(source_fd, target_fd, new_name, shown)
                    else:
                        transfer.copy_content(source_fd, target_fd, shown)
                finally:
                    os.close(source_fd)
            else:
                flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
                fd = self._open(self.source, path, flags)
                try:
                    status = os.fstat(fd)
                    if not stat.S_ISREG(status.st_mode):
                        raise CannotCopy(shown, "it became something else meanwhile")
                    transfer.copy_file(fd, status, target_fd, new_name, shown)
                finally:
                    os.close(fd)
        except OSError as error:
            raise _failed(self.source, error) from error
        finally:
            os.close(target_fd)
        return transfer.warnings

    def _place(self, name: str, is_directory: bool, content: bool) -> tuple[str, str]:
        """Where it goes by docker's and podman's rules: a directory that exists, and a name in it, "" for itself."""
        from storage.transfer import CannotCopy

        end, shown = self.target, str(self.source.location)
        path = end.location.path
        present = self._look(end, path)
        if present is not None and stat.S_ISDIR(present.st_mode):
            if is_directory and (content or not name):
                return path, ""
            return path, name
        if present is None:
            if not is_directory and path.endswith(("/", "/.")):
                raise CannotCopy(shown, f"the directory '{end.location}' does not exist")
            parent = os.path.dirname(path.rstrip("/")) or ("/" if end.identity else ".")
            above = self._look(end, parent)
            if above is None or not stat.S_ISDIR(above.st_mode):
                raise CannotCopy(
                    shown,
                    f"the directory '{Location(end.location.container, parent)}' does not exist",
                )
        else:
            if path.endswith(("/", "/.")):
                raise CannotCopy(shown, f"'{end.location}' is no directory")
            if is_directory and not self.options.overwrite:
                raise CannotCopy(
                    shown,
                    f"a directory does not take the place of the file '{end.location}'",
                    "--overwrite allows it",
                )
        return self._followed(end, path)

    def _followed(self, end: End, path: str) -> tuple[str, str]:
        """The directory and the name of the last component, a link at which is followed to what it points to."""
        from storage.transfer import CannotCopy

        for _ in range(40):  # as the kernel, path_resolution(7)
            directory, _, name = path.rstrip("/").rpartition("/")
            directory = directory or ("/" if end.identity or path.startswith("/") else ".")
            if name in {"", ".", ".."}:
                raise CannotCopy(
                    str(self.source.location), f"'{path}' names nothing that can be made"
                )
            parent_fd = self._open(end, directory, os.O_PATH | os.O_DIRECTORY)
            try:
                link = os.readlink(name, dir_fd=parent_fd)
            except OSError:
                return directory, name
            finally:
                os.close(parent_fd)
            path = link if link.startswith("/") else f"{directory}/{link}"
        raise CannotCopy(
            str(self.source.location), f"the symbolic links of '{end.location}' never end"
        )

    def _write_archive(self) -> list[str]:
        from storage import transfer_archive

        status = self._find_source()
        path, shown = self.source.location.path, str(self.source.location)
        name = "" if _means_content(path) else _name_of(path, local=False)
        try:
            if stat.S_ISDIR(status.st_mode):
                fd = self._open_directory(self.source, path)
            else:
                fd = self._open(self.source, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
            try:
                return transfer_archive.write_archive(fd, name, 1, self.source.maps, shown)
            finally:
                os.close(fd)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _failed(self.source, error) from error

    def _unpack(self) -> list[str]:
        from pod.runtime import security
        from storage import transfer_archive

        end = self.target
        status = self._look(end, end.location.path)
        if status is None or not stat.S_ISDIR(status.st_mode):
            raise PodError(
                f"an archive can only be unpacked into a directory, which '{end.location}' is not"
            )
        user = (0, 0) if self.options.archive else self._user(end)
        transfer_archive.load_unpacker()
        self._become(self._intermediate(0, 0))
        target_fd = self._open_directory(end, end.location.path)
        # From here on the container is all there is: whatever link is swapped in, it leads nowhere else.
        security.forget_imports()
        own_root_fd = os.open("/", _PATH_DIRECTORY)
        os.fchdir(end.root_fd)
        os.chroot(".")

        def owner(uid: int, gid: int) -> tuple[int, int]:
            if self.single_id:
                return 0, 0
            return self._intermediate(uid, gid) if self.options.archive else user

        try:
            root = self._intermediate(0, 0)[0]
            transfer_archive.unpack_archive(self.archive_fd, target_fd, owner, capability_root=root)
        except OSError as error:
            raise _failed(end, error) from error
        finally:
            os.close(target_fd)
            os.fchdir(own_root_fd)
            os.chroot(".")  # where the mounts are that have to be undone
        return []


def _means_content(path: str) -> bool:
    """Whether a directory is named as its content: "dir/." (docker-cp(1))."""
    return path == "." or path.endswith("/.")


def _name_of(path: str, *, local: bool) -> str:
    """What a copy is called that gets no other name; "" for a root directory."""
    normal = os.path.normpath(os.path.abspath(path) if local else f"/{path}")
    return os.path.basename(normal)


def _mapped(number: int, extents: IdMap | None) -> int:
    """An intermediate id that a container has, or that of its root."""
    if extents is None:
        return 0 if number == _NOBODY else number
    if any(first <= number < first + count for _, first, count in extents):
        return number
    return _outside(extents, 0)


def _outside(extents: IdMap, number: int) -> int:
    """The intermediate id of a container's; that of its root, or of the caller, for an id that it does not have."""
    for wanted in (number, 0):
        for first, intermediate, count in extents:
            if first <= wanted < first + count:
                return intermediate + wanted - first
    return 0


def _failed(end: End, error: OSError) -> PodError:
    from storage.transfer import CannotCopy, words

    return CannotCopy(str(end.location), words(error))
