"""`pod images`: which images there are."""

from __future__ import annotations

from pod.base.times import from_rfc3339
from pod.engine.image_filters import Candidate, Filters

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pod.engine.context import Engine
    from storage.images import ImageRecord
    from storage.lists import ListRecord


class Listed:
    """An image or a list of images, and those of its names that are shown."""

    __slots__ = ("created_ns", "image", "names")

    def __init__(self, image: ImageRecord | ListRecord, names: tuple[str, ...]) -> None:
        self.image = image
        self.names = names
        self.created_ns = from_rfc3339(image.created)


def all_images(engine: Engine, filters: Filters | None = None) -> list[Listed]:
    """The images that the filters let through, the youngest first."""
    found = engine.store.images.list_all()
    if filters is None:
        listed = [Listed(image, image.names) for image in found]
    else:
        used: list[Mapping[str, int]] = []

        def users() -> Mapping[str, int]:
            if not used:
                used.append(user_counts(engine))
            return used[0]

        listed = [
            Listed(image, filters.shown_names(image))
            for image in found
            if filters.accept(Candidate(engine, image, users))
        ]
    listed.sort(key=lambda it: -it.created_ns)
    return listed


def user_counts(engine: Engine) -> Mapping[str, int]:
    """How many containers were made from each image, or have it mounted, by image id."""
    import os

    if not os.path.exists(engine.paths.database):
        return {}
    from pod.state import summaries

    counts: dict[str, int] = {}
    for row in summaries.all_of(engine.database):
        needed = {row.image_id}
        needed.update(
            mount["source"]
            for mount in row.config.get("mounts", ())
            if mount.get("kind") == "image"
        )
        for image_id in needed - {""}:
            counts[image_id] = counts.get(image_id, 0) + 1
    return counts


def repository_digests(image: ImageRecord | ListRecord) -> list[str]:
    """ "REPOSITORY@DIGEST" for each repository and digest by which the image can be pulled."""
    repositories = dict.fromkeys(split_name(name)[0] for name in image.names)
    digests = dict.fromkeys((*image.index_digests, image.digest))
    return [f"{repository}@{digest}" for repository in repositories for digest in digests]


def split_name(name: str) -> tuple[str, str]:
    """A full name as repository and tag; "<none>" for the tag of one that has a digest in its place."""
    bare = name.partition("@")[0]
    head, slash, last = bare.rpartition("/")
    repository, colon, tag = last.partition(":")
    return f"{head}{slash}{repository}", tag if colon else "<none>"
