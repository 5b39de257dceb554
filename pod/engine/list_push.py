"""Pushing lists of images: to a registry, an OCI layout, or a directory, with their images, byte by byte."""

from __future__ import annotations

from contextlib import ExitStack

from pod.base.errors import PodError, Unsupported, UsageError
from pod.base.records import Record
from pod.engine import image_remove, images, lists, registry_access
from pod.engine.push import PackOptions, packing_for
from pod.engine.signing import signer_for
from pod.image import push as image_push
from pod.image import whole
from pod.image.contents import read_contents
from pod.image.document import InvalidImage
from pod.image.list_files import Document, save_archive, save_directory, save_layout
from pod.image.list_pack import Form, transformed
from pod.image.packing import AS_IT_IS
from pod.image.progress import Silence
from pod.image.upload import Content
from pod.spec import reference as references
from pod.spec import transport
from pod.state import events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import ClassVar

    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.image.access import Access
    from pod.image.progress import Progress
    from pod.image.trust.sign import Signing
    from storage.collect import Hold
    from storage.lists import ListRecord

_MAX_DEPTH = 8


class Shape(Record):
    """What shall become of a list on its way out."""

    everything: bool = True
    """With its images; without them, they must be there."""
    form: PackOptions = PackOptions()
    """That of its images, and by its family that of the list."""
    added: tuple[str, ...] = ()
    """Compressions in which the images shall be there, too."""
    signing: Signing | None = None
    """With which keys the list and its images are signed, in a registry."""
    nested: ClassVar = {"form": PackOptions}


class NoImageHere(PodError):
    """A list is to be pushed with its images, and one of them is nowhere known."""

    def __init__(self, shown: str, digest: str) -> None:
        super().__init__(
            f"the list '{shown}' has the entry '{digest}', which is neither here nor known to be in a registry",
            hint=f"pod manifest remove {shown} {digest}",
        )


def push(
    engine: Engine,
    text: str,
    destination: str,
    options: PullOptions,
    shape: Shape = Shape(),  # noqa: B008  a Record is immutable
    *,
    remove: bool = False,
) -> str:
    """Copy a list to `destination`, a location or a name, "" being its own name; the digest that it has there.

    Images that are elsewhere are copied from there. With `remove` the list is forgotten afterwards. Call with a single
    thread. Raises NotAList, ImageNotFound, NoImageHere, RegistryError, CannotSave.
    """
    record = lists.find(engine, text)
    target = _target(record, text, destination)
    progress, access = registry_access.progress_of(options), registry_access.access(engine, options)
    packing = packing_for(engine, target, shape.form)
    if record.digest in record.sources and shape.form == PackOptions():
        packing = AS_IT_IS  # it was pulled whole and not changed: it keeps its digest
    if shape.added and not shape.everything:
        raise UsageError("--add-compression excludes --all=false: the images would not be there")
    write = _WRITERS.get(target.transport)
    if shape.signing is not None and target.transport != transport.REGISTRY:
        raise UsageError(f"'{target}' has no name that could be signed: it is no registry")
    if write is None and target.transport != transport.REGISTRY:
        raise Unsupported(
            f"'{target.transport}' for a list of images",
            "the format has no lists; docker://, oci:, oci-archive: and dir: have them",
        )
    with (
        engine.store.hold(engine.store.lists.blobs_of(record)) as hold,
        ExitStack() as open_files,
    ):
        source = _Source(engine, record, access, hold)
        documents = source.documents(text, everything=shape.everything)
        form = Form(packing, shape.added)
        documents = transformed(engine.store, documents, form, open_files)
        if write is None:
            _to_registry(engine, target, documents, access, progress, shape.signing)
        else:
            write(documents, target, progress)
    engine.events.append(
        events.event("image", "push", object_id=record.id, name=destination or text)
    )
    if remove:
        image_remove.remove(engine, record.id, all_names=True)
    return documents[-1].digest


def _target(record: ListRecord, text: str, destination: str) -> transport.Location:
    if not destination:
        names = images.matching_names(record, text) or record.names
        if not names:
            raise UsageError(f"the list '{text}' has no name that says where to push it")
        return transport.Location(transport.REGISTRY, reference=names[0])
    location = images.location_of(destination)
    return location or transport.Location(transport.REGISTRY, reference=destination)


class _Source:
    """Where the parts of a list are: here, or where its sources say."""

    def __init__(self, engine: Engine, record: ListRecord, access: Access, hold: Hold) -> None:
        self._store = engine.store
        self._record = record
        self._access = access
        self._hold = hold

    def documents(self, shown: str, *, everything: bool) -> list[Document]:
        """The list, and before it what it lists, each after what it refers to in turn."""
        found: list[Document] = []
        seen: set[str] = set()

        def visit(digest: str, source: str, depth: int) -> None:
            if digest in seen:
                return
            if depth > _MAX_DEPTH:
                raise InvalidImage(f"list '{shown}'", f"its lists are nested {depth} deep")
            seen.add(digest)
            document = self._document(digest, source, shown)
            if everything:
                for part in document.contents.manifests:
                    own = self._record.sources.get(part.digest, "")
                    visit(part.digest, own or _beside(source, part.digest), depth + 1)
            found.append(document)

        visit(self._record.digest, self._record.sources.get(self._record.digest, ""), 0)
        return found

    def _document(self, digest: str, source: str, shown: str) -> Document:
        blobs = self._store.blobs
        if not blobs.has(digest):
            if not source:
                raise NoImageHere(shown, digest)
            self._fetch_manifest(source)
        data = blobs.read(digest)
        contents = read_contents(data, f"manifest '{digest}' of '{shown}'")
        digests = [part.digest for part in contents.blobs]
        self._hold.add(*digests)
        if source:
            self._store.places.add(digests, _reference(source).name)  # it can be mounted from there
        parts = tuple(
            Content(part.digest, part.size, self._opener(part.digest, part.size, source, shown))
            for part in contents.blobs
        )
        return Document(data, digest, contents.media_type, contents, parts)

    def _fetch_manifest(self, source: str) -> None:
        fetched = whole.fetch_member(
            self._store, _reference(source), self._access, Silence(), self._hold
        )
        if fetched.contents.is_list:
            self._hold.add(fetched.digest)
            self._store.blobs.add(fetched.data)

    def _opener(self, digest: str, size: int, source: str, shown: str) -> Callable[[], int]:
        def opened() -> int:
            if not self._store.blobs.has(digest):
                if not source:
                    raise NoImageHere(shown, digest)
                whole.fetch_blob(self._store, _reference(source), digest, size, self._access)
            return self._store.blobs.open(digest)

        return opened


def _reference(source: str) -> references.Reference:
    return references.parse(source.removeprefix("docker://"))


def _beside(source: str, digest: str) -> str:
    """What a list in a registry lists is in the same repository."""
    return f"{source.partition('@')[0]}@{digest}" if source else ""


def _to_registry(
    engine: Engine,
    target: transport.Location,
    documents: list[Document],
    access: Access,
    progress: Progress,
    signing: Signing | None,
) -> None:
    reference = references.parse(target.reference).normalized()
    signer = None if signing is None else signer_for(engine, signing, reference)
    engine.store.places.keep()  # where blobs of members were seen
    with image_push.connect(reference, access, progress, engine.store) as destination:
        destination.expect(documents[-1].digest)
        for document in documents[:-1]:
            data, media_type = document.data, document.media_type
            image_push.push_as_it_is(destination, document.blobs, data, media_type, document.digest)
        top = documents[-1]
        progress.message("Writing manifest list to image destination")
        destination.put_manifest(top.data, top.media_type)
        if signer is not None:
            progress.message("Storing signatures")
            for document in documents:
                signer.sign(destination, document.digest)


_WRITERS: Mapping[str, Callable[[list[Document], transport.Location, Progress], None]] = {
    transport.OCI_LAYOUT: lambda documents, target, progress: save_layout(
        documents, target.path, target.reference, progress
    ),
    transport.OCI_ARCHIVE: lambda documents, target, progress: save_archive(
        documents, target.path, target.reference, progress
    ),
    transport.DIRECTORY: lambda documents, target, progress: save_directory(
        documents, target.path, progress
    ),
}
