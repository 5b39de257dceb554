"""`pod export`: the file system of a container as a tar archive, without what is mounted into it."""

from __future__ import annotations

from pod.engine import files
from pod.state import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine


def export(engine: Engine, text: str, target: int | str) -> None:
    """Write the files of a container, with the owners that it sees, to an open descriptor or to a path.

    At a path the archive appears complete or not at all. Call with a single thread. Raises NoSuchContainer, CannotSave.
    """
    with files.Held(engine, text) as held:
        engine.close()

        def write(fd: int) -> None:
            rootfs = held.container.config.rootfs
            if rootfs:
                engine.rootfs.start_export_of(rootfs, fd).result()
            else:
                engine.rootfs.start_export(held.directory, fd).result()

        if isinstance(target, int):
            write(target)
        else:
            from pod.image.saving import write_file

            write_file(target, write)
        engine.events.append(events.of_container(held.container, "export"))
