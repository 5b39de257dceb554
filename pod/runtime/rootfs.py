"""The file system that a container sees: its root, the mounts in it, and what is hidden or protected in them.

Runs in the container's own mount namespace, before and after the change of root. Everything below the root is resolved
by `linux/inroot.py`, since images choose what is there. See the OCI runtime specification, "Mounts".
"""

from __future__ import annotations

import errno
import os
import stat

from pod.base import log
from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import inroot, mounts, namespaces, syscalls
from pod.linux.syscalls import MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC
from pod.runtime import copyup, fuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.runtime.user import Identity

_SET_FLAGS = {
    "bind": MS_BIND,
    "rbind": MS_BIND | MS_REC,
    "ro": MS_RDONLY,
    "nosuid": MS_NOSUID,
    "nodev": MS_NODEV,
    "noexec": MS_NOEXEC,
    "sync": syscalls.MS_SYNCHRONOUS,
    "dirsync": syscalls.MS_DIRSYNC,
    "noatime": syscalls.MS_NOATIME,
    "nodiratime": syscalls.MS_NODIRATIME,
    "relatime": syscalls.MS_RELATIME,
    "strictatime": syscalls.MS_STRICTATIME,
    "nosymfollow": syscalls.MS_NOSYMFOLLOW,
}
_CLEAR_FLAGS = {
    "rw": MS_RDONLY,
    "suid": MS_NOSUID,
    "dev": MS_NODEV,
    "exec": MS_NOEXEC,
    "async": syscalls.MS_SYNCHRONOUS,
    "atime": syscalls.MS_NOATIME,
    "diratime": syscalls.MS_NODIRATIME,
    "norelatime": syscalls.MS_RELATIME,
    "nostrictatime": syscalls.MS_STRICTATIME,
    "symfollow": syscalls.MS_NOSYMFOLLOW,
}
MOUNT_OPTIONS = (*_SET_FLAGS, *_CLEAR_FLAGS)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_RESTRICTIONS = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC


class MountFailed(PodError):
    """The kernel refused a mount of the container."""

    def __init__(self, source: str, destination: str, error: OSError) -> None:
        reason = error.strerror or str(error)
        super().__init__(
            f"'{source}' cannot be mounted on '{destination}' in the container: {reason}",
            hint=_why_mount_failed(source, error),
        )


class Options(Record):
    """The words of an OCI mount's `options`, sorted by what becomes of them."""

    flags: int = 0
    propagation: str = ""
    recursive_read_only: bool = False
    copy_up: bool = False
    data: tuple[str, ...] = ()


def parse_options(words: list[str]) -> Options:
    """Sort mount options into flags, propagation, our own words, and what is left for the file system."""
    flags, propagation, recursive, copy_up = 0, "", False, False
    data = []
    for word in words:
        if word in _SET_FLAGS:
            flags |= _SET_FLAGS[word]
        elif word in _CLEAR_FLAGS:
            flags &= ~_CLEAR_FLAGS[word]
        elif word in mounts.PROPAGATION:
            propagation = word
        elif word == "rro":
            flags, recursive = flags | MS_RDONLY, True
        elif word == "tmpcopyup":
            copy_up = True
        elif word not in {"defaults", "copy-symlink"}:
            data.append(word)
    return Options(flags, propagation, recursive, copy_up, tuple(data))


def hold_sources(description: dict[str, Any], config: dict[str, Any]) -> None:
    """Replace the paths of what will be mounted by open descriptors, for a process that is about to lose its way there.

    As the caller, in the container's mount namespace: the kernel mounts nothing out of another one. The container's
    root is moved to a file system of its own, which covers the directory that it had. `pod_source` keeps the path of a
    mount, for messages.
    """
    os.chdir("/")  # where the caller is may be closed, too
    syscalls.mount("tmpfs", config["root"]["path"], "tmpfs", 0, "mode=0755,uid=0,gid=0,size=64k")
    config["root"]["path"] = f"{_held(config['root']['path'])}/root"
    for name in ("upper", "work", "path"):
        if description.get(name):
            description[name] = _held(description[name])
    description["lowers"] = [_held(lower) for lower in description.get("lowers", ())]
    for entry in config["mounts"]:
        words = entry.get("options") or []
        if entry.get("type") == "overlay":
            entry["options"] = [_held_word(word) for word in words]
        elif entry.get("source", "").startswith("/"):
            source = entry["pod_source"] = entry["source"]
            try:
                entry["source"] = _held(source)
            except OSError as error:
                raise MountFailed(source, entry["destination"], error) from error


def take_shared(namespace_fd: int, entries: list[dict[str, Any]]) -> None:
    """Get what another container has mounted where an entry is `pod_shared`, from its mount namespace, as `pod_tree`.

    In a mount namespace of our own, to which we return. Where that fails, the container has a mount of its own there.
    """
    own_fd = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
    try:
        syscalls.setns(namespace_fd, namespaces.CLONE_NEWNS)
        for entry in entries:
            if entry.get("pod_shared"):
                try:
                    entry["pod_tree"] = mounts.take(entry["destination"])
                except OSError as error:
                    log.debug(f"{entry['destination']} is not shared: {error.strerror}")
        syscalls.setns(own_fd, namespaces.CLONE_NEWNS)
    finally:
        os.close(own_fd)


def _held(path: str) -> str:
    """A path that leads to the same file as long as this process and its children live."""
    return mounts.fd_path(os.open(path, os.O_PATH | os.O_CLOEXEC))


def _held_word(word: str) -> str:
    key, _, value = word.partition("=")
    if key == "lowerdir":
        return f"{key}={':'.join(map(_held, mounts.split_lowers(value)))}"
    return f"{key}={_held(value)}" if key in {"upperdir", "workdir"} else word


def mount_root(
    description: dict[str, Any], target: str, server: fuse.Server | fuse.Apart | None
) -> int:
    """Mount the container's root file system on the directory `target`; a descriptor of it, which the caller closes.

    `server` is what fuse.start has returned for it.
    """
    kind = description["kind"]
    try:
        if not os.path.isdir(target):
            os.mkdir(target, 0o755)  # as hold_sources has left it
        if kind == "overlay":
            mounts.mount_overlay(
                description["lowers"],
                description["upper"],
                description["work"],
                target,
                description["options"],
            )
        elif server is not None:
            server.mount(target)
        elif kind == "tmpfs":
            syscalls.mount("tmpfs", target, "tmpfs", 0, "mode=0755,size=64k")
        else:  # a plain directory: a copied root, or --rootfs
            mounts.bind(description["path"], target)
    except OSError as error:
        raise PodError(
            f"the root file system of the container cannot be mounted: {error.strerror}",
            hint="pod info shows the storage driver; pod system check looks for damage",
        ) from error
    return os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)


def mount_all(root_fd: int, entries: list[dict[str, Any]], label: str) -> None:
    """Perform the `mounts` of the OCI configuration, in their order."""
    for entry in entries:
        try:
            _mount_one(root_fd, entry, label)
        except OSError as error:
            raise MountFailed(
                entry.get("pod_source") or entry.get("source") or entry["type"],
                entry["destination"],
                error,
            ) from error


def _mount_one(root_fd: int, entry: dict[str, Any], label: str) -> None:
    if "pod_tree" in entry:
        target_fd = inroot.make_directory(root_fd, entry["destination"])
        mounts.move(entry["pod_tree"], target_fd)
        os.close(target_fd)
        return
    options = parse_options(entry.get("options") or [])
    kind, source, destination = (
        entry.get("type") or "bind",
        entry.get("source"),
        entry["destination"],
    )
    if options.flags & MS_BIND or kind == "bind":
        _bind(root_fd, source or "", entry.get("pod_subpath", ""), destination, options)
        return
    if kind == "cgroup":
        kind, source = "cgroup2", "cgroup"
    is_new_tmpfs = kind == "tmpfs" and options.copy_up and not _exists(root_fd, destination)
    target_fd = inroot.make_directory(root_fd, destination)
    try:
        target = mounts.fd_path(target_fd)
        if is_new_tmpfs:
            # The mode that a tmpfs has by itself, which it takes over from here, also when the container starts again.
            os.chmod(target, 0o1777)
        if kind == "tmpfs":
            _mount_tmpfs(root_fd, target_fd, destination, options)
        elif kind == "overlay":
            mounts.mount_overlay_options(target, options.data)
            if entry.get("pod_subpath"):
                _narrow(root_fd, destination, entry["pod_subpath"])
        else:
            data = ",".join([*options.data, f'context="{label}"'] if label else options.data)
            try:
                syscalls.mount(source or kind, target, kind, options.flags, data)
            except OSError as error:
                if not _mount_from_host(kind, target, error):
                    raise
        if options.propagation:
            _set_propagation(root_fd, destination, options.propagation)
    finally:
        os.close(target_fd)


def _exists(root_fd: int, path: str) -> bool:
    try:
        os.close(inroot.open_path(root_fd, path))
    except FileNotFoundError:
        return False
    return True


def _narrow(root_fd: int, destination: str, subpath: str) -> None:
    """Cover what is mounted on the directory `destination` with one directory of it."""
    mounted_fd = inroot.open_path(root_fd, destination)
    try:
        part_fd = inroot.open_at(mounted_fd, subpath, os.O_PATH | os.O_DIRECTORY)
        try:
            mounts.bind(mounts.fd_path(part_fd), mounts.fd_path(mounted_fd))
        finally:
            os.close(part_fd)
    finally:
        os.close(mounted_fd)


def _mount_from_host(kind: str, target: str, error: OSError) -> bool:
    """Stand in for sysfs, cgroup2 and mqueue of a namespace that the container does not own; whether it was done."""
    if error.errno not in {errno.EPERM, errno.EBUSY, errno.ENODEV}:
        return False
    path = {"sysfs": "/sys", "cgroup2": "/sys/fs/cgroup", "mqueue": "/dev/mqueue"}.get(kind)
    if path is None or not os.path.isdir(path):
        return False
    mounts.bind(path, target)
    return True


def _bind(root_fd: int, source: str, subpath: str, destination: str, options: Options) -> None:
    source_fd = os.open(source, os.O_PATH | os.O_CLOEXEC)
    try:
        if subpath:
            top_fd, source_fd = source_fd, inroot.open_path(source_fd, subpath)
            os.close(top_fd)
        is_directory = stat.S_ISDIR(os.fstat(source_fd).st_mode)
        make = inroot.make_directory if is_directory else inroot.make_file
        target_fd = make(root_fd, destination)
        try:
            if not is_directory and stat.S_ISDIR(os.fstat(target_fd).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), destination)
            flags, propagation = options.flags & _RESTRICTIONS, options.propagation or "rprivate"
            everywhere = flags if options.recursive_read_only else flags & ~MS_RDONLY
            if not mounts.attach(source_fd, target_fd, flags, everywhere, propagation):
                mounts.bind(mounts.fd_path(source_fd), mounts.fd_path(target_fd))
                _restrict_new(root_fd, destination, source_fd, flags, everywhere, propagation)
        finally:
            os.close(target_fd)
    finally:
        os.close(source_fd)


def _restrict_new(
    root_fd: int, destination: str, source_fd: int, flags: int, everywhere: int, propagation: str
) -> None:
    """What mounts.attach does before a mount is in its place, behind it: for kernels that lack the calls."""
    # The descriptor from before is of the place below the new mount; a new one is of the mount itself, unless a process
    # that shares a volume with the container has moved things meanwhile.
    mounted_fd = inroot.open_path(root_fd, destination)
    try:
        if not os.path.samestat(os.fstat(mounted_fd), os.fstat(source_fd)):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), destination)
        mounted = mounts.fd_path(mounted_fd)
        mounts.restrict(mounted, everywhere, recursive=True)
        mounts.restrict(mounted, flags & ~everywhere)
        mounts.set_propagation(mounted, propagation)
    finally:
        os.close(mounted_fd)


def _mount_tmpfs(root_fd: int, target_fd: int, destination: str, options: Options) -> None:
    """A tmpfs; with `tmpcopyup`, filled with what the image has at the same place."""
    target = mounts.fd_path(target_fd)
    data = list(options.data)
    if options.copy_up and not any(word.startswith("mode=") for word in data):
        data.append(f"mode={stat.S_IMODE(os.stat(target).st_mode):o}")
    syscalls.mount("tmpfs", target, "tmpfs", options.flags & ~MS_RDONLY, ",".join(data))
    mounted_fd = inroot.open_path(root_fd, destination)
    try:
        if options.copy_up:
            # The descriptor from before the mount still shows the image's directory.
            covered = os.open(target, _DIRECTORY)
            try:
                mounted = os.open(mounts.fd_path(mounted_fd), _DIRECTORY)
                try:
                    copyup.copy_tree(covered, mounted)
                finally:
                    os.close(mounted)
            finally:
                os.close(covered)
        mounts.restrict(mounts.fd_path(mounted_fd), options.flags & MS_RDONLY)
    finally:
        os.close(mounted_fd)


def _set_propagation(root_fd: int, destination: str, mode: str) -> None:
    fd = inroot.open_path(root_fd, destination)
    try:
        mounts.set_propagation(mounts.fd_path(fd), mode)
    finally:
        os.close(fd)


def mask(paths: list[str]) -> None:
    """Hide `linux.maskedPaths` by an empty directory or by /dev/null. After the change of root."""
    null_fd = os.open("/dev/null", os.O_PATH | os.O_CLOEXEC)
    try:
        # In a volume that is mounted on /dev it may be anything, which would be shown instead (CVE-2025-31133).
        status = os.fstat(null_fd)
        if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(1, 3):
            raise PodError("'/dev/null' is not the null device")
        for path in paths:
            try:
                if stat.S_ISDIR(os.stat(path).st_mode):
                    syscalls.mount("tmpfs", path, "tmpfs", MS_RDONLY, "size=0k")
                else:
                    mounts.bind(mounts.fd_path(null_fd), path)
            except FileNotFoundError:
                continue  # this kernel has nothing there
            except OSError as error:
                raise MountFailed("an empty file", path, error) from error
    finally:
        os.close(null_fd)


def protect(paths: list[str]) -> None:
    """Make `linux.readonlyPaths` read-only. After the change of root."""
    for path in paths:
        try:
            mounts.bind(path, path)
            mounts.restrict(path, MS_RDONLY, recursive=True)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise MountFailed(path, path, error) from error


def make_working_directory(path: str, identity: Identity) -> None:
    """Create the working directory where the image lacks it; after the change of root, while that can be written."""
    if os.path.isdir(path):
        return
    try:
        os.makedirs(path, 0o755, exist_ok=True)
        os.chown(path, identity.uid, identity.gid)
    except OSError as error:
        raise PodError(
            f"the working directory '{path}' cannot be made: {error.strerror}",
            hint="give one that exists with --workdir",
        ) from error


def enter_directory(path: str) -> None:
    """chdir(2) to the working directory of the container, after the change of root."""
    try:
        os.chdir(path)
        os.getcwd()  # ENOENT outside of the container's root, where a descriptor may lead (CVE-2024-21626)
    except OSError as error:
        raise PodError(
            f"the working directory '{path}' cannot be entered: {error.strerror}",
            hint="give one that exists with --workdir",
        ) from error


def _why_mount_failed(source: str, error: OSError) -> str | None:
    if error.errno == errno.ENOENT:
        return f"make it first: mkdir -p '{source}'" if source.startswith("/") else None
    if error.errno == errno.ENOTDIR:
        return "a file can only be mounted on a file, and a directory on a directory"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "the caller must be able to reach and read it"
    return None
