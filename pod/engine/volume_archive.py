"""Export and import of volumes as tar archives, and where their files are."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.engine import volumes as engine_volumes
from pod.state import volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.state.volumes import Volume


class NoFiles(PodError):
    """The volume is a file system in memory, and each container has its own."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(
            f"volume '{name}' cannot be {what}: it is of type tmpfs, and each container has its own"
        )


def export(engine: Engine, text: str, target: int | str) -> None:
    """Write the files of a volume as a tar archive to an open descriptor, or to a path, where it appears complete.

    Call with a single thread. Raises NoSuchVolume, NoFiles, CannotSave.
    """
    volume = _with_files(engine, text, "exported")
    engine.close()

    def write(fd: int) -> None:
        try:
            engine.store.volumes.start_export(volume.name, fd).result()
        except FileNotFoundError as error:
            if volume.name in volumes.names(engine.database):
                raise
            raise volumes.NoSuchVolume(text) from error  # it was removed meanwhile

    if isinstance(target, int):
        write(target)
        return
    from pod.image.saving import write_file

    write_file(target, write)


def import_(engine: Engine, text: str, source_fd: int) -> None:
    """Unpack a tar archive, compressed or not, over what the volume has. Call with a single thread.

    From then on no image fills the volume. Raises NoSuchVolume, ArchiveError.
    """
    volume = _with_files(engine, text, "imported into")
    with engine_volumes.locked(engine, volume.name):
        engine.close()
        engine.store.volumes.import_archive(volume.name, source_fd)
        volumes.update(engine.database, volume.replace(needs_copy_up=False))


def mount(engine: Engine, text: str) -> str:
    """Where the files of a volume are, for somebody who is root of their owners. Raises NeedsUnshare."""
    volume = _with_files(engine, text, "mounted")
    _require_root("volume mount")
    from pod.engine.inspect_volume import mount_point

    return mount_point(engine, volume)


def unmount(engine: Engine, text: str) -> str:
    """The full name of the volume; its directory stays where it is. Raises NeedsUnshare."""
    volume = volumes.find(engine.database, text)
    _require_root("volume unmount")
    return volume.name


class NeedsUnshare(PodError):
    """The command is of use only for root of the caller's user namespace."""

    def __init__(self, command: str) -> None:
        super().__init__(
            f"`pod {command}` is of use only where the files' owners are yours",
            hint=f"pod unshare pod {command} NAME",
        )


def _require_root(command: str) -> None:
    if os.geteuid() != 0:
        raise NeedsUnshare(command)


def _with_files(engine: Engine, text: str, what: str) -> Volume:
    volume = volumes.find(engine.database, text)
    if volume.options:
        from pod.spec.volume_options import parse_volume_options

        kind = parse_volume_options(volume.options).kind
        if kind == "tmpfs":
            raise NoFiles(volume.name, what)
        if kind == "bind" and what != "mounted":
            raise PodError(
                f"volume '{volume.name}' cannot be {what}: its files are the host's, in "
                f"'{volume.options['device']}'",
                hint="tar does that",
            )
    return volume
