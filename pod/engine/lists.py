"""Lists of images as commands mean them: found by name, and the image of one that suits a platform."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.image import manifest, media_types
from pod.image.manifest import Index
from pod.image.platform import host_platform, parse_platform
from storage.blobs import BlobNotFound
from storage.images import ImageNotFound
from storage.lists import ListRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from storage.images import ImageRecord

_MAX_DEPTH = 3


class NotAList(PodError):
    """The name belongs to an image for one platform."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"'{text}' is an image, not a list of images",
            hint=f"pod manifest create NAME, then pod manifest add NAME {text}",
        )


class ListNotFound(ImageNotFound):
    """No list here has this name or id."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.message = f"list of images '{text}' is not here"
        self.hint = f"pod manifest create {text}"


class NotHere(PodError):
    """A list has an image for the platform, which is in a registry."""

    def __init__(self, name: str, platform: str, digest: str, source: str) -> None:
        super().__init__(
            f"the image for {platform} of the list '{name}' is not here, only its place in the list",
            hint=f"pod pull {source or digest}",
        )


def find(engine: Engine, text: str) -> ListRecord:
    """The local list that `text` means. Raises ListNotFound, NotAList, InvalidReference."""
    from pod.engine import images

    found = images.find_any(engine, text)
    if found is None:
        raise ListNotFound(text)
    if not isinstance(found, ListRecord):
        raise NotAList(text)
    return found


def member_for(engine: Engine, record: ListRecord, platform: str = "") -> ImageRecord:
    """The image of a list for a platform, "" for this machine's. Raises NoSuchPlatform, NotHere."""
    shown = record.names[0] if record.names else record.id
    wanted = parse_platform(platform) if platform else host_platform()
    data, what = record.data(), f"list '{shown}'"
    for _ in range(_MAX_DEPTH):
        parsed = manifest.parse_manifest(data, what, record.media_type)
        assert isinstance(parsed, Index)
        chosen = manifest.choose(parsed, wanted, what)
        try:
            if chosen.media_type in media_types.INDEX_TYPES:
                data = engine.store.blobs.read(chosen.digest)
                continue
            descriptor = {
                "mediaType": chosen.media_type,
                "digest": chosen.digest,
                "size": chosen.size,
            }
            member = engine.store.lists.member(record, descriptor)
            missing = [it for it in member.layers if not engine.store.blobs.has(it.digest)]
            if missing and not all(map(engine.store.layers.has, member.diff_ids)):
                raise BlobNotFound(missing[0].digest)
        except BlobNotFound as error:
            source = record.sources.get(chosen.digest, "")
            raise NotHere(shown, str(wanted), chosen.digest, source) from error
        return member
    raise ImageNotFound(shown)
