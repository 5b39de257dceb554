"""From a registry into the store, whole: a manifest of any kind with everything that it refers to, as it came.

For lists that are to be pushed again, and for artifacts. Nothing is unpacked: layers of an image become trees when a
container needs them.
"""

from __future__ import annotations

from pod.base.records import Record
from pod.image.contents import read_contents
from pod.image.document import InvalidImage
from pod.image.http import HttpClient
from pod.image.install import receive_blobs
from pod.image.progress import Silence
from pod.image.pull import RegistrySource, check_signatures, full_name, put_blob, visit
from pod.image.registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pod.image.access import Access
    from pod.image.contents import Contents
    from pod.image.names import Endpoint
    from pod.image.policy import Demand
    from pod.image.progress import Progress
    from pod.image.registry import FetchedManifest
    from pod.spec.reference import Reference
    from storage.collect import Hold
    from storage.store import Store

    Choose = Callable[[tuple[Reference, ...]], Reference] | None

_MAX_LISTS = 2000  # of lists in a list, all together


class Fetched(Record):
    """A document of a registry: as it came, and what it refers to; `reference` is its full name."""

    data: bytes
    digest: str
    media_type: str
    reference: Reference
    contents: Contents

    @property
    def name(self) -> str:
        """The full name that it gets in the store."""
        return full_name(self.reference)

    @property
    def descriptor(self) -> dict[str, object]:
        """What refers to it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}

    @property
    def source(self) -> str:
        """Where it is, whatever happens to its tag."""
        return f"docker://{self.reference.name}@{self.digest}"


def fetch_document(
    reference: Reference, access: Access, progress: Progress, choose: Choose = None
) -> Fetched:
    """A manifest or list alone, from the first place that has it. Stores nothing. Raises as `pull.pull`."""

    def attempt(full: Reference, endpoint: Endpoint, _demand: Demand | None) -> Fetched:
        with _Repository(endpoint, access, progress) as registry:
            return _fetched(registry.manifest(full.version), full)

    return visit(reference, access, progress, attempt, choose=choose)


def fetch_whole(
    store: Store,
    reference: Reference,
    access: Access,
    progress: Progress,
    hold: Hold,
    *,
    choose: Choose = None,
    keeps: Callable[[Fetched], bool] = lambda _: True,
) -> Fetched:
    """Bring what `reference` means into the store, with all that it refers to; `hold` keeps it until it is named.

    With `keeps` the caller decides whether it wants the document; of one that it does not want nothing is stored.
    Call with a single thread. Raises as `pull.pull`.
    """

    def attempt(full: Reference, endpoint: Endpoint, demand: Demand | None) -> Fetched:
        with _Repository(endpoint, access, progress) as registry:
            top = registry.manifest(full.version)
            found = _fetched(top, full)
            if keeps(found):
                _fetch_parts(store, registry, full, top, access, progress, hold, demand)
            return found

    return visit(reference, access, progress, attempt, choose=choose)


def fetch_member(
    store: Store,
    reference: Reference,
    access: Access,
    progress: Progress,
    hold: Hold,
    choose: Choose = None,
) -> Fetched:
    """What a list says about an image: its manifest and configuration, into the store; of a list, nothing is stored."""

    def attempt(full: Reference, endpoint: Endpoint, demand: Demand | None) -> Fetched:
        with _Repository(endpoint, access, progress) as registry:
            document = registry.manifest(full.version)
            found = _fetched(document, full)
            if demand is not None:
                check_signatures(demand, full, registry, document, access)
            config = found.contents.config
            if config is not None:
                hold.add(found.digest, config.digest)
                receive_blobs(
                    store, [(config.digest, config.size)], RegistrySource(registry), progress
                )
                put_blob(store.blobs, found.digest, found.data)
            return found

    return visit(reference, access, progress, attempt, choose=choose)


def fetch_blob(store: Store, reference: Reference, digest: str, size: int, access: Access) -> None:
    """Bring one blob of a repository into the store, which the caller holds. May be called in a thread."""

    def attempt(_full: Reference, endpoint: Endpoint, _demand: Demand | None) -> None:
        with _Repository(endpoint, access, Silence()) as registry:
            receive_blobs(store, [(digest, size)], RegistrySource(registry), Silence())

    visit(reference, access, Silence(), attempt)


def _fetch_parts(
    store: Store,
    registry: Registry,
    full: Reference,
    top: FetchedManifest,
    access: Access,
    progress: Progress,
    hold: Hold,
    demand: Demand | None,
) -> None:
    documents = []
    for document in _documents(registry, full, top):
        if demand is not None:
            check_signatures(demand, full, registry, document, access)
        documents.append(document)
    blobs: dict[str, int] = {}
    for document in documents:
        what = f"manifest '{document.digest}' of '{full}'"
        for part in read_contents(document.data, what, document.media_type).blobs:
            if blobs.setdefault(part.digest, part.size) != part.size:
                raise InvalidImage(what, f"blob '{part.digest}' has two sizes")
    hold.add(*(document.digest for document in documents), *blobs)
    receive_blobs(store, blobs.items(), RegistrySource(registry), progress)
    progress.message("Writing manifest to image destination")
    for document in reversed(documents):  # a list after what it lists
        put_blob(store.blobs, document.digest, document.data)


def _documents(
    registry: Registry, full: Reference, top: FetchedManifest
) -> Iterator[FetchedManifest]:
    """The document itself, and those of all lists and images below it."""
    pending, seen = [top], {top.digest}
    while pending:
        document = pending.pop()
        yield document
        contents = read_contents(
            document.data, f"manifest '{document.digest}' of '{full}'", document.media_type
        )
        for part in contents.manifests:
            if part.digest in seen:
                continue
            seen.add(part.digest)
            if len(seen) > _MAX_LISTS:
                raise InvalidImage(f"list '{full}'", f"it has more than {_MAX_LISTS} manifests")
            pending.append(registry.manifest(part.digest))


def _fetched(document: FetchedManifest, full: Reference) -> Fetched:
    contents = read_contents(document.data, f"manifest of '{full}'", document.media_type)
    return Fetched(document.data, document.digest, contents.media_type, full, contents)


class _Repository:
    """A repository for reading, as a context manager."""

    def __init__(self, endpoint: Endpoint, access: Access, progress: Progress) -> None:
        self._http = HttpClient(access.settings, progress.message)
        self._registry = Registry(self._http, endpoint, access.credentials_for(endpoint))

    def __enter__(self) -> Registry:
        return self._registry

    def __exit__(self, *_: object) -> None:
        self._http.close()
