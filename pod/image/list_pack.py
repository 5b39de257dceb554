"""Lists of images in another form: their layers compressed anew, manifests and lists in the words of the other family.

What an image becomes has another digest, which its list then names.
"""

from __future__ import annotations

import os

from pod.base.records import Record
from pod.image import lists
from pod.image.document import InvalidImage, parse_object
from pod.image.list_files import Document
from pod.image.manifest import Manifest, NotAnImage, parse_manifest
from pod.image.media_types import DOCKER_LIST, OCI_INDEX
from pod.image.packing import (
    AS_IT_IS,
    DOCKER,
    OCI,
    ZSTD,
    Packing,
    compression_of,
    pack,
    packed_layer,
    rewritten,
)
from pod.image.upload import Content
from storage.blobs import digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from contextlib import ExitStack
    from typing import Any

    from storage.store import Store

_LIST_TYPES = {OCI: OCI_INDEX, DOCKER: DOCKER_LIST}
_IS_ZSTD = "io.github.containers.compression.zstd"
"""Annotation of containers/image: of several entries for one platform, older engines must not take this one."""


class Form(Record):
    """What shall become of the images of a list, and in which other compressions they shall be there too."""

    packing: Packing = AS_IT_IS
    added: tuple[str, ...] = ()


def transformed(
    store: Store, documents: Sequence[Document], form: Form, open_files: ExitStack
) -> list[Document]:
    """The documents in this form, in their order, the list last; `open_files` keeps what was compressed until it ends.

    Call while all of them are held. Raises UsageError, BlobNotFound, DamagedBlob, and what opening a blob raises.
    """
    became: dict[str, Document] = {}
    found: list[Document] = []
    for document in documents:
        if not document.contents.is_list:
            changed = _image(store, document, form.packing, open_files)
            became[document.digest] = changed
            found.append(changed)
            continue
        extra: list[tuple[dict[str, Any], Document]] = []
        if document is documents[-1]:
            extra = _variants(store, document, documents, form, open_files)
            found += (it for _, it in extra)
        changed = _list(document, became, form.packing.family, [entry for entry, _ in extra])
        became[document.digest] = changed
        found.append(changed)
    return found


def _image(store: Store, document: Document, packing: Packing, open_files: ExitStack) -> Document:
    try:
        parsed = parse_manifest(document.data, f"manifest '{document.digest}'", document.media_type)
    except (NotAnImage, InvalidImage):
        return document  # an artifact, which nobody unpacks
    assert isinstance(parsed, Manifest)
    contents = {content.digest: content for content in document.blobs}
    family = packing.family_for(parsed)
    changes = [
        packing.compression_for(layer, family) if layer.digest in contents else ""
        for layer in parsed.layers
    ]
    if not any(changes) and parsed.media_type == rewritten(parsed, (), family)[1]:
        return document
    layers = []
    for layer, change in zip(parsed.layers, changes, strict=True):
        if not change:
            layers.append(layer)
            continue
        os.close(contents[layer.digest].open())  # it is here then
        packed, fd = pack(store, layer.digest, change, packing.level_of(change))
        open_files.callback(os.close, fd)
        contents[packed.digest] = Content(packed.digest, packed.size, _opener(fd))
        layers.append(packed_layer(layer, packed, change, family))
    data, media_type = rewritten(parsed, layers, family)
    wanted = dict.fromkeys([*(layer.digest for layer in layers), parsed.config.digest])
    return document.replace(
        data=data,
        digest=digest_of(data),
        media_type=media_type,
        blobs=tuple(contents[digest] for digest in wanted if digest in contents),
    )


def _opener(fd: int) -> Callable[[], int]:
    return lambda: os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)  # at its beginning


def _list(
    document: Document,
    became: dict[str, Document],
    family: str,
    extra: Iterable[dict[str, Any]],
) -> Document:
    """The list of what its images have become; the same bytes when nothing is another."""
    before = parse_object(document.data, "list of images")
    entries = []
    for entry in before.get("manifests") or []:
        changed = became.get(entry["digest"])
        if changed is None or changed.digest == entry["digest"]:
            entries.append(entry)
            continue
        described = {"mediaType": changed.media_type, "size": len(changed.data)}
        entries.append({**entry, **described, "digest": changed.digest})
    after = {**before, "manifests": entries}
    for entry in extra:
        after = lists.with_entry(after, entry)
    if family:
        after = lists.as_format(after, _LIST_TYPES[family])
    if after == before:
        return document
    data = lists.to_bytes(after)
    media_type = str(after.get("mediaType") or document.media_type)
    return document.replace(data=data, digest=digest_of(data), media_type=media_type)


def _variants(
    store: Store,
    top: Document,
    documents: Sequence[Document],
    form: Form,
    open_files: ExitStack,
) -> list[tuple[dict[str, Any], Document]]:
    """The images of the list in the added compressions, each with its entry, but for those that it has already."""
    by_digest = {document.digest: document for document in documents}
    entries = parse_object(top.data, "list of images").get("manifests") or []
    found = []
    has = {(str(it.get("platform")), _compression(by_digest.get(it["digest"]))) for it in entries}
    for compression in form.added:
        for entry in entries:
            document = by_digest.get(entry["digest"])
            own = _compression(document)
            if document is None or not own or (str(entry.get("platform")), compression) in has:
                continue
            has.add((str(entry.get("platform")), compression))
            family = OCI if compression.startswith(ZSTD) else form.packing.family
            packing = Packing(compression=compression, family=family, level=form.packing.level)
            changed = _image(store, document, packing, open_files)
            described = {
                **entry,
                "mediaType": changed.media_type,
                "size": len(changed.data),
                "digest": changed.digest,
            }
            if compression.startswith(ZSTD):
                described["annotations"] = {**entry.get("annotations", {}), _IS_ZSTD: "true"}
            found.append((described, changed))
    return found


def _compression(document: Document | None) -> str:
    """How the layers of an image are compressed; "" for what is none, or has none."""
    if document is None or document.contents.is_list:
        return ""
    try:
        parsed = parse_manifest(document.data, "image", document.media_type)
    except (NotAnImage, InvalidImage):
        return ""
    assert isinstance(parsed, Manifest)
    return compression_of(parsed.layers[-1]) if parsed.layers else ""
