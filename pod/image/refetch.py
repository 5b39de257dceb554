"""Getting blobs of an image again that were damaged or lost, from where the image came; only those."""

from __future__ import annotations

from pod.base import log
from pod.base.errors import PodError
from pod.image import failures, manifest, names
from pod.image.http import HttpClient
from pod.image.install import Transfer, WantedLayer
from pod.image.manifest import Manifest
from pod.image.pull import RegistrySource, put_blob
from pod.image.registry import Registry
from pod.spec import reference as references

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from pod.image.access import Access
    from pod.image.names import Endpoint
    from pod.image.progress import Progress
    from storage.store import Store

_REGISTRY = "docker://"


class NoSource(PodError):
    """Nobody knows where the image came from, or it was made here."""

    def __init__(self, hint: str) -> None:
        super().__init__("there is no registry to get them from", hint=hint)


def fetch_again(
    store: Store,
    digest: str,
    image_names: tuple[str, ...],
    damaged: Collection[str],
    access: Access,
    progress: Progress,
) -> None:
    """Replace the `damaged` blobs of the image whose manifest is `digest`, and bring those that are missing.

    Repositories are those that it was pulled from, then those of its names. Raises NoSource, the last RegistryError,
    InvalidImage, DigestMismatch.
    """
    last: PodError | None = None
    for repository in _repositories(store, digest, image_names):
        reference = references.parse(repository).replace(tag="", digest=digest)
        access.demand(str(reference))
        for endpoint in names.endpoints(reference, access.registries, tls_verify=access.tls_verify):
            try:
                _fetch(store, endpoint, digest, damaged, access, progress)
            except failures.RegistryError as error:
                log.debug(f"{endpoint.name}: {error.message}")
                last = error
            else:
                return
    raise last if last is not None else NoSource(_hint(store, digest, image_names))


def _repositories(store: Store, digest: str, image_names: tuple[str, ...]) -> list[str]:
    known = [
        it.removeprefix(_REGISTRY) for it in store.sources.of(digest) if it.startswith(_REGISTRY)
    ]
    named = [references.parse(name).name for name in image_names]
    return list(dict.fromkeys([*known, *(it for it in named if not it.startswith("localhost/"))]))


def _hint(store: Store, digest: str, image_names: tuple[str, ...]) -> str:
    """What a person can do: load the archive again that it came from, or build it again."""
    for source in store.sources.of(digest):
        if not source.startswith(_REGISTRY):
            return f"pod load --input {source.partition(':')[2]}"
    shown = image_names[0] if image_names else digest
    return f"make it again, or remove it: pod rmi --force {shown}"


def _fetch(
    store: Store,
    endpoint: Endpoint,
    digest: str,
    damaged: Collection[str],
    access: Access,
    progress: Progress,
) -> None:
    http = HttpClient(access.settings, progress.message)
    registry = Registry(http, endpoint, access.credentials_for(endpoint))
    try:
        with store.hold([digest]) as hold:
            if not _is_good_document(store, digest):
                fetched = registry.manifest(digest)
                _discard(store, digest)
                put_blob(store.blobs, digest, fetched.data)
            parsed = manifest.parse_manifest(store.blobs.read(digest), f"manifest '{digest}'")
            if not isinstance(parsed, Manifest):
                raise manifest.NotAnImage(f"manifest '{digest}'", "a list of images")
            parts = (parsed.config, *parsed.layers)
            hold.add(*(part.digest for part in parts))
            source = RegistrySource(registry)
            for part in {part.digest: part for part in parts}.values():
                is_config = part is parsed.config
                if part.digest in damaged or (
                    is_config and not _is_good_document(store, part.digest)
                ):
                    _discard(store, part.digest)
                with store.blobs.receive(part.digest, part.size) as partial:
                    if partial.already_here:
                        continue
                    log.info(f"blob '{part.digest}' is fetched from {endpoint.name}")
                    wanted = WantedLayer(part.digest, part.size, "")
                    source.fetch(wanted, Transfer(partial, lambda: -1, progress, part.digest))
                    partial.commit()
    finally:
        http.close()


def _is_good_document(store: Store, digest: str) -> bool:
    try:
        store.blobs.read(digest)
    except PodError:
        return False
    return True


def _discard(store: Store, digest: str) -> None:
    """Take the damaged blob out of the way, now that there is somebody who has it."""
    if store.blobs.has(digest):
        store.staging.discard(store.blobs.path(digest))
