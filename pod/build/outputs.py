"""What --output makes of an image besides having it in the store: its files, or an archive of it."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.build.context_archives import CannotReadContext, unpack
from pod.image import saving

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.build.options import Output
    from pod.image.progress import Progress
    from storage.images import ImageRecord
    from storage.store import Store

STDOUT = 1


class CannotWriteOutput(PodError):
    """A destination that cannot be written to."""


def write_output(
    store: Store,
    output: Output,
    image: ImageRecord,
    names: tuple[str, ...],
    progress: Progress,
    *,
    folder: str = "",
) -> None:
    """Write one --output of kind local, tar, oci or docker. `names` are those that an archive says the image has.

    `folder` is for the kind "local", the name of a directory in the destination. Call with a single thread.
    Raises CannotWriteOutput, CannotSave.
    """
    if output.kind == "local":
        write_files(store, image, os.path.join(output.dest, folder) if folder else output.dest)
    elif output.kind == "tar":

        def write(fd: int) -> None:
            store.rootfs.start_export_of_image(image.diff_ids, fd).result()

        write_to(output.dest, write)
    else:
        from pod.image.save import save

        kinds = {"docker": saving.DOCKER_ARCHIVE, "oci": saving.OCI_ARCHIVE}
        kind = saving.OCI_DIR if output.kind == "oci" and not output.tar else kinds[output.kind]
        saved = saving.SavedImage(image, names)
        save(store, [saved], STDOUT if output.dest == "-" else output.dest, progress, kind=kind)


def write_files(store: Store, image: ImageRecord, directory: str) -> None:
    """Write the files of an image into a directory, which may be there, as files of the caller.

    What is there under the same name is replaced; nothing outside is touched, whatever links are in the image and in
    the directory. Device files are left out.
    """
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        raise CannotWriteOutput(
            f"the output cannot be written to '{directory}': {error.strerror}"
        ) from error
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        child = store.rootfs.start_export_of_image(image.diff_ids, writer)
    finally:
        os.close(writer)
    try:
        unpack(reader, directory, f"the output for '{directory}'")
    except CannotReadContext as error:
        os.close(reader)
        reader = -1
        try:
            child.result()
        except (PodError, OSError):
            pass  # it has met the end of the pipe
        raise CannotWriteOutput(error.message) from error
    finally:
        if reader >= 0:
            os.close(reader)
    child.result()


def write_to(dest: str, write: Callable[[int], None]) -> None:
    """Have `write` write to a file, which appears complete or not at all, or to standard output."""
    if dest == "-":
        write(STDOUT)
    else:
        saving.write_file(dest, write)
