"""Load, save and import: images from files and into files."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.engine import images
from pod.image import saving
from pod.spec import reference as references
from pod.state import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pod.engine.context import Engine
    from pod.image.archives import LoadedImage
    from pod.image.import_tree import ImportedImage
    from pod.image.progress import Progress
    from storage.images import ImageRecord

FORMATS = saving.FORMATS


def load(engine: Engine, source: str | int, progress: Progress) -> list[LoadedImage]:
    """Bring the images of an archive or directory into the store; `source` is a path or an open descriptor.

    Call with a single thread. Raises what `pod.image.archives.load` raises.
    """
    from pod.engine.configuration_registries import load_policy
    from pod.image import archives

    loaded = archives.load(engine.store, source, progress, policy=load_policy(engine.places))
    for image in loaded:
        for name in image.names or ("",):
            _tell(engine, "loadFromArchive", image.id, name)
    return loaded


def save(
    engine: Engine,
    texts: Sequence[str],
    target: str | int,
    progress: Progress,
    *,
    kind: str = saving.DOCKER_ARCHIVE,
    several: bool = False,
    compress: bool = False,
    platform: str = "",
) -> None:
    """Write images to a path or an open descriptor.

    Without `several` only the first of `texts` is an image, and the others are more names for it in the archive; with
    it each is an image. `compress` is about the plain layers in a docker-dir. `platform` chooses from lists of images.

    Raises what images.find_for raises, CannotSave, OneImageOnly.
    """
    from pod.image import names
    from pod.image.packing import DOCKER, GZIP, Packing
    from pod.image.save import save as save_images

    if several:
        found: dict[str, saving.SavedImage] = {}
        for text in texts:
            image = images.with_layers(engine, images.find_for(engine, text, platform))
            known = found.get(image.digest)
            chosen = (*(known.names if known else ()), *names_for(image, text))
            found[image.digest] = saving.SavedImage(image, tuple(dict.fromkeys(chosen)))
        chosen_images = list(found.values())
    else:
        image = images.with_layers(engine, images.find_for(engine, texts[0], platform))
        more = [str(names.name_for_new_image(references.parse(text))) for text in texts[1:]]
        chosen_images = [saving.SavedImage(image, (*names_for(image, texts[0]), *more))]
    packing = Packing(
        family=DOCKER if kind == saving.DOCKER_DIR else "", usual=GZIP if compress else ""
    )
    save_images(engine.store, chosen_images, target, progress, kind=kind, packing=packing)
    for saved in chosen_images:
        _tell(engine, "save", saved.image.id, (saved.names or ("",))[0])


def _tell(engine: Engine, status: str, image_id: str, name: str) -> None:
    engine.events.append(events.event("image", status, object_id=image_id, name=name))


def names_for(image: ImageRecord, text: str) -> tuple[str, ...]:
    """The name in the archive of an image that a person calls `text`; none when that is an id."""
    return tuple(images.matching_names(image, text)[:1])


def import_(
    engine: Engine,
    source: str | int,
    progress: Progress,
    *,
    name: str = "",
    changes: Sequence[str] = (),
    message: str = "",
    platform: str = "",
) -> ImportedImage:
    """Make an image of a root file system in a tar archive: a path, a URL or an open descriptor.

    Call with a single thread. Raises what `pod.image.import_tree` raises.
    """
    from pod.image.connections import Settings
    from pod.image.import_tree import import_tree
    from pod.image.platform import parse_platform

    if (
        isinstance(source, str)
        and "://" in source
        and not source.startswith(("http://", "https://"))
    ):
        raise PodError(
            f"'{source}' cannot be imported: it is neither a file nor an http(s) address"
        )
    imported = import_tree(
        engine.store,
        source,
        progress,
        reference=references.parse(name) if name else None,
        changes=changes,
        message=message,
        platform=parse_platform(platform) if platform else None,
        settings=Settings(retries=engine.settings.engine.retry),
    )
    _tell(engine, "import", imported.id, imported.name)
    return imported
