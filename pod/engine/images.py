"""Images as commands mean them: names as they are typed, pull policies, removal."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.base.records import Record
from storage.images import ImageNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from storage.images import ImageRecord


class PullOptions(Record):
    """How an image that is not here is fetched."""

    policy: str = "missing"  # "always", "missing", "never", "newer"
    platform: str = ""  # OS/ARCH[/VARIANT]; "" for this machine's
    authfile: str = ""
    credentials: str = ""  # USER[:PASSWORD]
    certificates: str = ""  # directory
    tls_verify: bool | None = None  # None for what the configuration says
    retries: int | None = None
    retry_delay_ns: int | None = None
    quiet: bool = False


def find(engine: Engine, text: str) -> ImageRecord:
    """The local image that `text` means: a name, a name without registry or tag, an id or its beginning."""
    from pod.image import names
    from pod.spec import reference

    try:
        return engine.store.images.lookup(text)
    except ImageNotFound:
        pass
    parsed = reference.parse(text)
    for name in names.local_names(parsed, names.RegistriesConfig()):
        try:
            return engine.store.images.lookup(name)
        except ImageNotFound:
            continue
    raise ImageNotFound(text)


def name_of(image: ImageRecord, text: str) -> str:
    """The full name of the image that a person meant by `text`, or its id when it has none.

    An image may have several; one that was asked for by id or digest gives its first.
    """
    from pod.image import names
    from pod.spec import reference

    if text in image.names:
        return text
    try:
        wanted = names.local_names(reference.parse(text), names.RegistriesConfig())
    except reference.InvalidReference:
        wanted = ()
    for name in wanted:
        if name in image.names:
            return name
    return image.names[0] if image.names else image.id


def ensure(engine: Engine, text: str, options: PullOptions) -> ImageRecord:
    return find(engine, text)


def remove(engine: Engine, image_id: str, *, force: bool) -> None:
    raise PodError("later")
