"""Remove images: names first, then what nothing names any more."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.base.records import Record
from pod.engine import images
from pod.state import containers, events, summaries
from storage.images import ImageNotFound, ImageRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pod.engine.context import Engine
    from pod.state.summaries import Summary
    from storage.lists import ListRecord


class Removed(Record):
    """The names that were taken away, and the id of the image if it went too."""

    untagged: tuple[str, ...]
    deleted: str = ""


class ImageInUse(PodError):
    """Containers were made from the image, or have it mounted."""

    exit_status = 2  # podman-rmi(1), "Exit Status"

    def __init__(self, shown: str, users: Iterable[Summary]) -> None:
        names = ", ".join(user.name for user in users)
        super().__init__(
            f"image '{shown}' is used by container {names}",
            hint=f"remove the containers too: pod rmi --force {shown}",
        )


class SeveralNames(PodError):
    """An image was given by its id, and it is not clear whether all its names should go."""

    def __init__(self, text: str, names: Iterable[str]) -> None:
        super().__init__(
            f"image '{text}' is given by its id and has several names: {', '.join(names)}",
            hint=f"remove one of them, or all: pod rmi --force {text}",
        )


def remove(engine: Engine, text: str, *, force: bool = False, all_names: bool = False) -> Removed:
    """Take a name away; with its last one the image goes. One that is given by its id goes as a whole.

    When it has several names then, that must be meant: `force` or `all_names`. `force` also removes the containers
    that use it, running ones too. What is free then stays on the disk until `collect` is called.

    Raises ImageNotFound, ImageInUse, SeveralNames.
    """
    try:
        image = images.find_whole(engine, text)
    except PodError:
        removed = _remove_unreadable(engine, text)
        if removed is None:
            raise
        return removed
    engine.database.make_room()  # the index of images is written anew
    if not isinstance(image, ImageRecord):
        return _remove_list(engine, image, text, force=force, all_names=all_names)
    same = [other for other in engine.store.images.list() if other.id == image.id]
    names = [name for other in same for name in other.names]
    matching = images.matching_names(image, text)
    digest = text.partition("@")[2]
    by_digest = [name for name in matching if digest and name.endswith(f"@{digest}")]
    if len(names) > 1 and by_digest:
        engine.store.images.remove_name(by_digest[0])
        _tell(engine, "untag", image.id, by_digest[0])
        return Removed((by_digest[0],))
    if matching and len(names) > 1 and not digest:
        engine.store.images.remove_name(matching[0])
        _tell(engine, "untag", image.id, matching[0])
        return Removed((matching[0],))
    if not matching and len(names) > 1 and not (force or all_names):
        raise SeveralNames(text, names)
    users = users_of(engine, image)
    if users and not force:
        raise ImageInUse(text, users)
    _remove_containers(engine, users)
    for other in same:
        try:
            engine.store.images.remove_manifest(other.digest)
        except ImageNotFound:
            continue  # another command was quicker
    for name in names:
        _tell(engine, "untag", image.id, name)
    _tell(engine, "remove", image.id, (matching or names or [""])[0])
    return Removed(tuple(names), image.id)


def _remove_unreadable(engine: Engine, text: str) -> Removed | None:
    """The same for what has a name here and cannot be read as an image: a damaged one, or none. None when it is not."""
    store = engine.store.images
    for digest, names in store.incomplete():
        known = {text} if text == digest else {text, *images.candidates(engine, text)}
        matching = [name for name in names if name in known]
        if text != digest and not matching:
            continue
        engine.database.make_room()
        if matching and len(names) > 1:
            store.remove_name(matching[0])
            _tell(engine, "untag", digest, matching[0])
            return Removed((matching[0],))
        store.remove_manifest(digest)
        _tell(engine, "remove", digest, (matching or [*names, ""])[0])
        return Removed(tuple(names), digest)
    return None


def _remove_list(
    engine: Engine, record: ListRecord, text: str, *, force: bool, all_names: bool
) -> Removed:
    """The same for a list. Its images go with it, unless they have names of their own, or another list has them."""
    matching = images.matching_names(record, text)
    if len(record.names) > 1 and matching and not (all_names and not force):
        engine.store.images.remove_name(matching[0])
        _tell(engine, "untag", record.id, matching[0])
        return Removed((matching[0],))
    if len(record.names) > 1 and not (force or all_names):
        raise SeveralNames(text, record.names)
    users = _users_of_list(engine, record)
    if users and not force:
        raise ImageInUse(text, users)
    _remove_containers(engine, users)
    engine.store.lists.remove(record.id)
    for name in record.names:
        _tell(engine, "untag", record.id, name)
    _tell(engine, "remove", record.id, (matching or record.names or [""])[0])
    return Removed(record.names, record.id)


def _users_of_list(engine: Engine, record: ListRecord) -> list[Summary]:
    """The containers that were made from images that nothing else has."""
    rows = summaries.all_of(engine.database)
    if not rows:
        return []
    elsewhere = {image.id for image in engine.store.images.list()}
    for other in engine.store.lists.list():
        if other.id != record.id:
            elsewhere.update(engine.store.lists.blobs_of(other))
    only_here = engine.store.lists.blobs_of(record) - elsewhere
    return [row for row in rows if any(uses(row, digest) for digest in only_here)]


def _tell(engine: Engine, status: str, image_id: str, name: str) -> None:
    engine.events.append(events.event("image", status, object_id=image_id, name=name))


def collect(engine: Engine) -> None:
    """Set the space free that removed images have taken; trees are deleted behind the command's back."""
    engine.close()
    engine.store.delete_unreferenced()
    engine.store.staging.empty_trash_behind()


def collect_now(engine: Engine) -> int:
    """As collect, but all is deleted when it returns; the bytes that it had on the disk."""
    engine.close()
    freed, staging = engine.store.delete_unreferenced().bytes, engine.store.staging
    if trash := staging.trash():
        from storage.rootfs import measure_inside

        freed += sum(usage.allocated for usage in measure_inside(trash))
        staging.empty_trash()
    return freed


def users_of(engine: Engine, image: ImageRecord) -> list[Summary]:
    """The containers that were made from an image or have it mounted, the oldest first."""
    return [row for row in summaries.all_of(engine.database) if uses(row, image.id)]


def uses(row: Summary, image_id: str) -> bool:
    """Whether a container was made from the image or has it mounted."""
    if row.image_id == image_id:
        return True
    return any(
        mount.get("kind") == "image" and mount.get("source") == image_id
        for mount in row.config.get("mounts", ())
    )


def _remove_containers(engine: Engine, users: list[Summary]) -> None:
    """Those that others of them need come after the others."""
    from pod.engine import remove as container_remove

    left = [row.id for row in users]
    while left:
        waiting = []
        problem: PodError | None = None
        for container in containers.by_ids(engine.database, left):
            try:
                container_remove.remove(engine, container, force=True)
            except containers.StillNeeded as error:
                problem = error
                waiting.append(container.id)
        if problem is not None and len(waiting) == len(left):
            raise problem
        left = waiting
