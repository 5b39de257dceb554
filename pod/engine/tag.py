"""Tag and untag: more names for an image, or fewer."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.engine import images
from pod.image import names
from pod.spec import reference as references
from pod.state import events
from storage.images import ImageRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pod.engine.context import Engine


class NotItsName(PodError):
    """An image was to lose a name that it does not have."""

    def __init__(self, image: str, name: str) -> None:
        super().__init__(f"image '{image}' does not have the name '{name}'", hint="pod images")


def tag(engine: Engine, text: str, new_names: Sequence[str]) -> list[str]:
    """Give the image or list `text` more names; the full ones. A name that another image has passes over to this one.

    Raises ImageNotFound, InvalidReference: all names are read before the first is given.
    """
    image = images.find_whole(engine, text)
    parsed = [references.parse(name) for name in new_names]
    for reference in parsed:
        if reference.digest:
            raise references.InvalidReference(
                str(reference),
                "an image has the digest that it has, so a new name takes only a tag",
            )
    given = []
    for reference in parsed:
        full = str(names.name_for_new_image(reference))
        if isinstance(image, ImageRecord):
            index_digest = image.index_digests[0] if image.index_digests else None
            engine.store.images.set_name(full, image.descriptor(), index_digest=index_digest)
        else:
            engine.store.lists.set_name(full, image.id)
        given.append(full)
        engine.events.append(events.event("image", "tag", object_id=image.id, name=full))
    return given


def untag(engine: Engine, text: str, old_names: Sequence[str]) -> list[str]:
    """Take names away from the image or list `text`, or all names when none are given; the full ones.

    Raises ImageNotFound, NotItsName: all names are looked up before the first is taken away.
    """
    image = images.find_whole(engine, text)
    wanted: list[str] = []
    for name in old_names:
        matching = images.matching_names(image, name)
        if not matching:
            raise NotItsName(text, name)
        wanted.append(matching[0])
    for name in wanted or image.names:
        engine.store.images.remove_name(name)
        engine.events.append(events.event("image", "untag", object_id=image.id, name=name))
    return list(wanted or image.names)
