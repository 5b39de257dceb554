"""`pod mount`: the files of containers and images as a directory, for who is root of their owners' ids.

An ordinary user is that inside of `pod unshare`, which has a mount namespace of its own: what is mounted there goes
with its last process. A container that does not run is mounted as it is, and not started meanwhile, since two overlays
must not write to one directory (overlayfs.rst, "Sharing and copying layers"); of one that runs there is a view to read.
"""

from __future__ import annotations

import errno
import os

from pod.base import files as base_files
from pod.base import log, paths
from pod.base.errors import PodError
from pod.base.records import Record
from pod.engine import files, images
from pod.engine.volume_archive import NeedsUnshare
from pod.linux import namespaces
from pod.linux.boot import boot_id
from pod.spec.bundle import ROOT
from pod.state import containers, events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.containers import Container


class Mounted(Record):
    """One mount; `names` are those of the container or image."""

    id: str
    path: str
    names: tuple[str, ...] = ()


class NotMounted(PodError):
    """There is nothing to unmount, here."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"{kind} '{name}' is not mounted here", hint=f"pod {_WORDS[kind]}mount")


class InUse(PodError):
    """The container is mounted somewhere, so that it can be neither started nor mounted again."""

    def __init__(self, container: Container, pid: int) -> None:
        super().__init__(
            f"container '{container.name}' is mounted in the mount namespace of process {pid}",
            hint=f"there: pod unmount {container.name}",
        )


_WORDS = {"container": "", "image": "image "}


def mount(engine: Engine, text: str) -> Mounted:
    """Mount a container, or say where it is. Raises NeedsUnshare, NoSuchContainer, InUse."""
    _require_root("mount")
    with files.Held(engine, text) as held:
        container, target = held.container, f"{held.directory}/{ROOT}"
        mounted = Mounted(container.id, target, (container.name,))
        if _is_mounted(target):
            return mounted
        if held.run is not None:
            log.warning(
                f"container '{container.name}' is running: what is mounted can only be read; pod cp writes to it"
            )
            _mount_view(engine, held, target)
        else:
            check_not_mounted(engine, container)
            _remember(held.directory)
            _mount_whole(held, target)
    engine.events.append(events.of_container(container, "mount"))
    return mounted


def _mount_whole(held: files.Held, target: str) -> None:
    from pod.runtime import fuse, rootfs

    description = held.root_mount()
    document = {**description.to_json(), "kind": description.kind}
    server = fuse.start(document, closed_sources=False)
    os.close(rootfs.mount_root(document, target, server))


def _mount_view(engine: Engine, held: files.Held, target: str) -> None:
    """All that the container has as lower directories of a second overlay, which writes nowhere."""
    rootfs = held.container.config.rootfs
    if rootfs:
        _bind_to_read(rootfs, target)
        return
    _mount_lowers(list(engine.rootfs.tree(held.directory)), target)


def _mount_lowers(lowers: list[str], target: str) -> None:
    from pod.linux import mounts
    from storage import overlayfs

    if len(lowers) == 1:
        _bind_to_read(lowers[0], target)
        return
    try:
        mounts.mount_overlay(lowers, "", "", target, overlayfs.marks_here().mount_options)
    except OSError as error:
        raise PodError(
            f"'{target}' cannot be mounted: {error.strerror}",
            hint="this takes an overlay of the kernel; pod cp and pod export do without",
        ) from error


def _bind_to_read(source: str, target: str) -> None:
    from pod.linux import mounts, syscalls

    mounts.bind(source, target)
    mounts.restrict(target, syscalls.MS_RDONLY)


def unmount(engine: Engine, text: str, *, force: bool = False) -> str:
    """Undo it; `text`. With `force` also while files there are open. Raises NeedsUnshare, NotMounted."""
    _require_root("unmount")
    container = containers.find(engine.database, text)
    target = f"{engine.paths.container(container.id)}/{ROOT}"
    if not _is_mounted(target):
        raise NotMounted("container", container.name)
    _unmount(target, f"container '{container.name}'", force=force)
    _forget(engine.paths.container(container.id))
    engine.events.append(events.of_container(container, "unmount"))
    return text


def _unmount(target: str, what: str, *, force: bool) -> None:
    from pod.linux import syscalls

    try:
        syscalls.umount2(target, syscalls.MNT_DETACH if force else 0)
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        raise PodError(
            f"{what} cannot be unmounted: something in '{target}' is open, or somebody's working directory",
            hint="--force unmounts it for everybody else",
        ) from error


def mounted(engine: Engine) -> list[Mounted]:
    """The containers that are mounted here."""
    found = []
    for container in containers.all_of(engine.database):
        target = f"{engine.paths.container(container.id)}/{ROOT}"
        if _is_mounted(target):
            found.append(Mounted(container.id, target, (container.name,)))
    return found


# Images


def mount_image(engine: Engine, text: str) -> Mounted:
    """Mount an image, to be read. Raises NeedsUnshare, ImageNotFound."""
    _require_root("image mount")
    image = images.with_layers(engine, images.find(engine, text))
    target = _image_target(engine, image.id)
    if not _is_mounted(target):
        empty = f"{target}.empty"
        paths.make_private(f"{engine.paths.runroot}/images")
        for directory in (target, empty):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        _mount_lowers([*engine.rootfs.image_tree(image.diff_ids), empty], target)
        engine.events.append(
            events.event("image", "mount", object_id=image.id, name=next(iter(image.names), ""))
        )
    return Mounted(image.id, target, tuple(image.names))


def unmount_image(engine: Engine, text: str, *, force: bool = False) -> str:
    """Undo it; `text`. Raises NeedsUnshare, NotMounted, ImageNotFound."""
    _require_root("image unmount")
    image = images.find(engine, text)
    target = _image_target(engine, image.id)
    if not _is_mounted(target):
        raise NotMounted("image", text)
    _unmount(target, f"image '{text}'", force=force)
    for directory in (target, f"{target}.empty"):
        try:
            os.rmdir(directory)
        except OSError as error:
            log.debug(f"'{directory}' stays: {error.strerror}")
    engine.events.append(
        events.event("image", "unmount", object_id=image.id, name=next(iter(image.names), ""))
    )
    return text


def mounted_images(engine: Engine) -> list[Mounted]:
    """The images that are mounted here."""
    return [
        Mounted(image.id, target, tuple(image.names))
        for image in engine.store.images.list()
        if _is_mounted(target := _image_target(engine, image.id))
    ]


def _image_target(engine: Engine, image_id: str) -> str:
    return f"{engine.paths.runroot}/images/{image_id.rpartition(':')[2]}"


def _is_mounted(path: str, process: int | str = "self") -> bool:
    """Whether something is mounted on `path`, here or where a process is; os.path.ismount does not see binds.

    See proc(5), mountinfo. Raises OSError when the process has gone.
    """
    wanted = os.fsencode(path)
    for character in b"\\ \t\n":
        wanted = wanted.replace(bytes([character]), b"\\%03o" % character)
    with open(f"/proc/{process}/mountinfo", "rb") as file:
        return any(line.split(b" ", 5)[4] == wanted for line in file)


# Who has it mounted


def check_not_mounted(engine: Engine, container: Container) -> None:
    """Raise InUse when a mount namespace that still has processes has the container mounted. One look for most."""
    directory = engine.paths.container(container.id)
    try:
        note = base_files.read_json(f"{directory}/{paths.MOUNTED_FILE}")
    except FileNotFoundError:
        return
    pid = _somebody_in(note, f"{directory}/{ROOT}")
    if pid:
        raise InUse(container, pid)
    _forget(directory)


def release(engine: Engine, container: Container) -> None:
    """Unmount a container that is being removed, as far as it is mounted here."""
    directory = engine.paths.container(container.id)
    if os.geteuid() == 0 and _is_mounted(f"{directory}/{ROOT}"):
        _unmount(f"{directory}/{ROOT}", f"container '{container.name}'", force=True)
    _forget(directory)


def _remember(directory: str) -> None:
    identity = namespaces.identity(os.getpid(), "mount")
    note = {"boot": boot_id(), "namespace": list(identity)}
    base_files.write_json(f"{directory}/{paths.MOUNTED_FILE}", note, sync=False)


def _forget(directory: str) -> None:
    try:
        os.unlink(f"{directory}/{paths.MOUNTED_FILE}")
    except FileNotFoundError:
        pass


def _somebody_in(note: dict[str, object], target: str) -> int:
    """A process in the mount namespace that a note says, 0 when there is none, or another one with its number."""
    if note["boot"] != boot_id():
        return 0
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                identity = list(namespaces.identity(int(name), "mount"))
                if identity == note["namespace"] and _is_mounted(target, name):
                    return int(name)
            except OSError:
                continue  # somebody else's, or gone
    return 0


def _require_root(command: str) -> None:
    if os.geteuid() != 0:
        raise NeedsUnshare(command)
