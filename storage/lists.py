"""Lists of images: one name for the images of several platforms (OCI image indexes, Docker manifest lists).

A list is an entry of `index.json` as an image is one, of another media type. It keeps its id when its content changes,
and with it all its names; one that another tool has put there has its digest as id. What a list refers to is here, or
in a registry; the annotation SOURCES says where. Blobs that a list refers to and that are here are kept with it. Layers
of its images are unpacked when a container needs them.
"""

from __future__ import annotations

import os
import time

from pod.base import plainjson
from pod.base.errors import PodError
from pod.base.records import Record
from pod.base.times import rfc3339
from pod.spec.digest import hex_of, is_digest
from storage.blobs import digest_of
from storage.facts import document_of
from storage.images import (
    LIST_TYPES,
    REF_NAME,
    ImageNotFound,
    is_list,
    name_of,
    repository_of,
    size_of,
)
from storage.index import release_name, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from storage.blobs import BlobStore
    from storage.images import Descriptor, Descriptors, ImageRecord, ImageStore

LIST_ID = "io.pod.list.id"
CREATED = "io.pod.list.created"
SOURCES = "io.pod.list.sources"
_SHORTEST_ID = 3
_HEX = frozenset("0123456789abcdef")


class NameInUse(PodError):
    """A new list was to get a name that something else has."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(
            f"the name '{name}' belongs to {what} already",
            hint=f"pod manifest create --amend {name}, or pod manifest rm {name}",
        )


class ListRecord(Record):
    """A list as it is shown and used."""

    id: str
    digest: str
    media_type: str
    size: int
    """Bytes of the document itself."""
    names: tuple[str, ...]
    created: str
    """When it was made here, RFC 3339; "" when another tool has put it here."""
    sources: Mapping[str, str]
    """For digests of images that are not all here: where they are, as "docker://REGISTRY/REPOSITORY@DIGEST"."""
    blobs: BlobStore

    @property
    def index_digests(self) -> tuple[str, ...]:
        """None: it was pulled itself."""
        return ()

    @property
    def os(self) -> str:
        """A list has several."""
        return ""

    @property
    def architecture(self) -> str:
        """A list has several."""
        return ""

    def config(self) -> dict[str, Any]:
        """Lists have none."""
        return {}

    def data(self) -> bytes:
        """The document as it came. Raises BlobNotFound, DigestMismatch."""
        return self.blobs.read(self.digest)

    def document(self) -> dict[str, Any]:
        """What is in it. Raises BlobNotFound, DigestMismatch, DamagedImage."""
        return document_of(self.blobs, self.digest)

    def members(self) -> Descriptors:
        """The entries of the list, as they are."""
        manifests = self.document().get("manifests")
        return list(_descriptors(manifests))


class ListStore:
    """The lists in the index of `images`."""

    def __init__(self, images: ImageStore, blobs: BlobStore) -> None:
        self._images = images
        self._blobs = blobs

    def list(self) -> Sequence[ListRecord]:
        """All lists, in the order in which they came."""
        return records_of(self._images.entries(), self._blobs)

    def lookup(self, name_or_id: str) -> ListRecord:
        """The list with this full name, digest ("REPOSITORY@DIGEST" too), or an id that begins so.

        Raises ImageNotFound.
        """
        lists = self.list()
        for record in lists:
            if name_or_id in (*record.names, record.digest):
                return record
        repository, _, digest = name_or_id.partition("@")
        for record in lists:
            repositories = map(repository_of, record.names)
            if digest == record.digest and repository_of(repository) in repositories:
                return record
        digits = name_or_id.removeprefix("sha256:")
        if len(digits) >= _SHORTEST_ID and _HEX.issuperset(digits):
            found = [record for record in lists if hex_of(record.id).startswith(digits)]
            if len(found) == 1:
                return found[0]
        raise ImageNotFound(name_or_id)

    def create(
        self,
        name: str,
        data: bytes,
        media_type: str,
        *,
        sources: Mapping[str, str] | None = None,
        replace: bool = False,
    ) -> ListRecord:
        """A new list with this content, named `name`. Takes the store's lock.

        With `replace` the name passes over to it, else NameInUse is raised when something has it.
        """
        annotations = {
            REF_NAME: name,
            LIST_ID: f"sha256:{os.urandom(32).hex()}",
            CREATED: rfc3339(time.time_ns()),
        }
        if sources:
            annotations[SOURCES] = plainjson.dumps(dict(sources))
        with self._images.lock():
            entries = self._images.entries()
            if not replace:
                for entry in entries:
                    if name_of(entry) == name:
                        raise NameInUse(name, "a list" if is_list(entry) else "an image")
            # Not a second list with the same content for a name that is pulled again.
            for entry in entries:
                if is_list(entry) and name_of(entry) == name and _digest(entry) == digest_of(data):
                    return record_of(entry, entries, self._blobs)
            release_name(entries, name)
            entry = {**self._store(data, media_type), "annotations": annotations}
            write(self._images, [*entries, entry])
        return self.lookup(name)

    def change(
        self,
        list_id: str,
        change: Callable[[dict[str, Any], dict[str, str]], dict[str, Any]],
    ) -> ListRecord:
        """Replace the content of a list, under the store's lock.

        `change` gets the document and the sources, which it may change, and returns the new document; it must be quick.
        Raises ImageNotFound when the list is gone.
        """
        with self._images.lock():
            entries = self._images.entries()
            mine = [entry for entry in entries if is_list(entry) and id_of(entry) == list_id]
            if not mine:
                raise ImageNotFound(list_id)
            before = record_of(mine[0], entries, self._blobs)
            sources = dict(before.sources)
            document = change(before.document(), sources)
            data = plainjson.dumps(document).encode()
            stored = self._store(data, str(document.get("mediaType") or before.media_type))
            for entry in mine:
                annotations = {**entry.get("annotations", {}), LIST_ID: list_id}
                annotations.pop(SOURCES, None)
                if sources:
                    annotations[SOURCES] = plainjson.dumps(sources)
                entry.clear()
                entry.update({**stored, "annotations": annotations})
            write(self._images, entries)
            return record_of(mine[0], entries, self._blobs)

    def set_name(self, name: str, list_id: str) -> None:
        """Let `name` stand for a list, and no longer for what it stood for. Takes the store's lock."""
        with self._images.lock():
            entries = self._images.entries()
            release_name(entries, name)
            mine = [entry for entry in entries if is_list(entry) and id_of(entry) == list_id]
            if not mine:
                raise ImageNotFound(list_id)
            named = [entry for entry in entries if entry not in mine or name_of(entry) is not None]
            annotations = {**mine[0].get("annotations", {}), REF_NAME: name, LIST_ID: list_id}
            write(self._images, [*named, {**mine[0], "annotations": annotations}])

    def remove(self, list_id: str) -> None:
        """Forget a list with all its names; what only it needed is garbage then. Takes the store's lock."""
        with self._images.lock():
            entries = self._images.entries()
            kept = [entry for entry in entries if not is_list(entry) or id_of(entry) != list_id]
            if len(kept) == len(entries):
                raise ImageNotFound(list_id)
            write(self._images, kept)

    def member(self, record: ListRecord, descriptor: Descriptor) -> ImageRecord:
        """An image of the list, by its entry; its layers may have to be unpacked.

        Raises BlobNotFound when its manifest or configuration is not here, DamagedImage when it is no image.
        """
        return self._images.member(_plain(descriptor), record.names, record.digest)

    def members_here(self) -> Sequence[ImageRecord]:
        """The images of all lists whose manifest and configuration are here."""
        return list(members_here(self._images, self._images.entries()))

    def blobs_of(self, record: ListRecord) -> set[str]:
        """The digests of all blobs that the list refers to, of the list itself too. They need not all be here."""
        return blobs_below(self._blobs, record.digest)

    def _store(self, data: bytes, media_type: str) -> Descriptor:
        return {"mediaType": media_type, "digest": self._blobs.add(data), "size": len(data)}


def records_of(entries: Descriptors, blobs: BlobStore) -> Sequence[ListRecord]:
    """The lists among the entries of the index."""
    by_id = {id_of(entry): entry for entry in entries if is_list(entry)}
    return [record_of(entry, entries, blobs) for entry in by_id.values()]


def record_of(entry: Descriptor, entries: Descriptors, blobs: BlobStore) -> ListRecord:
    """The list of an entry of the index, with the names that other entries give it."""
    list_id = id_of(entry)
    mine = [other for other in entries if is_list(other) and id_of(other) == list_id]
    annotations = entry.get("annotations")
    known = annotations if isinstance(annotations, dict) else {}
    return ListRecord(
        id=list_id,
        digest=str(entry["digest"]),
        media_type=str(entry["mediaType"]),
        size=size_of(entry),
        names=tuple(name for other in mine if (name := name_of(other)) is not None),
        created=str(known.get(CREATED) or ""),
        sources=_sources(known.get(SOURCES)),
        blobs=blobs,
    )


def members_here(images: ImageStore, entries: Descriptors) -> Iterator[ImageRecord]:
    """The images of the lists among `entries` whose manifest and configuration are here."""
    seen = set()
    for entry in entries:
        if not is_list(entry):
            continue
        for descriptor in _manifests_below(images.blobs, entry["digest"]):
            digest = _digest(descriptor)
            if digest in seen:
                continue
            seen.add(digest)
            try:
                yield images.member(_plain(descriptor))
            except PodError:
                continue  # it is elsewhere, or no image


def _manifests_below(blobs: BlobStore, digest: str) -> Iterator[Descriptor]:
    """The entries of a list and of the lists in it, but for those lists."""
    for _, document in _documents_below(blobs, digest):
        for descriptor in _descriptors(document.get("manifests")):
            if descriptor.get("mediaType") not in LIST_TYPES:
                yield descriptor


def blobs_below(blobs: BlobStore, digest: str) -> set[str]:
    """The digest itself, and those that the document with it refers to, whether they are here or not."""
    found = {digest}
    for own, document in _documents_below(blobs, digest):
        found.add(own)
        for field in (document.get("manifests"), [document.get("config")], document.get("layers")):
            found.update(map(_digest, _descriptors(field)))
    return found


def _documents_below(blobs: BlobStore, digest: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The documents of a list and of all that it lists, each once, as far as they are here."""
    pending, seen = [digest], {digest}
    while pending:
        digest = pending.pop()
        try:
            document = document_of(blobs, digest)
        except PodError:
            continue
        yield digest, document
        inner = [_digest(it) for it in _descriptors(document.get("manifests"))]
        pending += (it for it in dict.fromkeys(inner) if it not in seen)
        seen.update(inner)


def _descriptors(value: Any) -> Iterator[Descriptor]:
    for it in value if isinstance(value, list) else ():
        if isinstance(it, dict) and _digest(it):
            yield it


def nameless(entry: Descriptor, others: Iterable[Descriptor]) -> Descriptors:
    """What stays of a list that has lost a name: nothing, when one of the `others` names it, else a nameless entry."""
    list_id = id_of(entry)
    if any(is_list(other) and id_of(other) == list_id for other in others):
        return []
    annotations = {**entry.get("annotations", {}), LIST_ID: list_id}
    annotations.pop(REF_NAME, None)
    return [{**entry, "annotations": annotations}]


def id_of(entry: Descriptor) -> str:
    """The id of the list of an entry: its own, or its digest."""
    annotations = entry.get("annotations")
    found = annotations.get(LIST_ID) if isinstance(annotations, dict) else None
    return found if isinstance(found, str) and is_digest(found) else str(entry["digest"])


def _plain(descriptor: Descriptor) -> Descriptor:
    """An entry of a list without its annotations, which are no names here."""
    return {key: value for key, value in descriptor.items() if key != "annotations"}


def _digest(descriptor: Descriptor) -> str:
    """The digest of a descriptor; "" when it has none."""
    digest = descriptor.get("digest")
    return digest if isinstance(digest, str) and is_digest(digest) else ""


def _sources(text: Any) -> Mapping[str, str]:
    if not isinstance(text, str):
        return {}
    try:
        found = plainjson.loads(text)
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
