"""Lists of images as documents: what an OCI index or a Docker manifest list says, changed field by field.

What was not meant to be changed stays as it came. Source: OCI image specification, "Image Index"; Docker's image
manifest version 2, schema 2.
"""

from __future__ import annotations

from pod.base.errors import PodError, UsageError
from pod.base.records import Record
from pod.image import media_types

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Document = dict[str, Any]

FORMATS = {"oci": media_types.OCI_INDEX, "v2s2": media_types.DOCKER_LIST}
_ANNOTATED = (media_types.OCI_INDEX,)
_OCI_ONLY = ("annotations", "artifactType", "subject")


class NotInList(PodError):
    """An entry was to be changed that the list does not have."""

    def __init__(self, shown: str, what: str) -> None:
        super().__init__(
            f"the list '{shown}' has no entry '{what}'", hint=f"pod manifest inspect {shown}"
        )


class Changes(Record):
    """What options say about an entry; empty is not given."""

    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""
    os_features: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    annotations: Mapping[str, str] = {}


def empty(annotations: Mapping[str, str] | None = None) -> Document:
    """A list with nothing in it."""
    document: Document = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": []}
    if annotations:
        document["annotations"] = dict(annotations)
    return document


def with_entry(document: Document, entry: Document) -> Document:
    """The list with one more entry, in the place of one with the same digest."""
    entries = list(document.get("manifests") or [])
    for position, other in enumerate(entries):
        if isinstance(other, dict) and other.get("digest") == entry["digest"]:
            entries[position] = entry
            break
    else:
        entries.append(entry)
    return _fitting({**document, "manifests": entries})


def without_entry(document: Document, digest: str, shown: str) -> Document:
    """The list without the entry for `digest`. Raises NotInList; `shown` names the list."""
    entries = list(document.get("manifests") or [])
    kept = [it for it in entries if not isinstance(it, dict) or it.get("digest") != digest]
    if len(kept) == len(entries):
        raise NotInList(shown, digest)
    return {**document, "manifests": kept}


def with_changes(document: Document, digest: str, changes: Changes, shown: str) -> Document:
    """The list with the changes to the entry for `digest`. Raises NotInList."""
    entries = list(document.get("manifests") or [])
    for position, other in enumerate(entries):
        if isinstance(other, dict) and other.get("digest") == digest:
            entries[position] = changed(other, changes)
            break
    else:
        raise NotInList(shown, digest)
    return _fitting({**document, "manifests": entries})


def with_annotations(document: Document, annotations: Mapping[str, str]) -> Document:
    """The list with annotations of its own, besides those that it has."""
    if not annotations:
        return document
    known = document.get("annotations")
    merged = {**(known if isinstance(known, dict) else {}), **annotations}
    return _fitting({**document, "annotations": merged})


def with_subject(document: Document, subject: Document) -> Document:
    """The list as one that is about another manifest."""
    return _fitting({**document, "subject": subject})


def changed(entry: Document, changes: Changes) -> Document:
    """An entry with the changes; a platform comes in when something is said about it."""
    given = {
        "architecture": changes.architecture,
        "os": changes.os,
        "os.version": changes.os_version,
        "os.features": list(changes.os_features),
        "variant": changes.variant,
        "features": list(changes.features),
    }
    given = {key: value for key, value in given.items() if value}
    entry = dict(entry)
    if given:
        platform = entry.get("platform")
        entry["platform"] = {**(platform if isinstance(platform, dict) else {}), **given}
    if changes.annotations:
        known = entry.get("annotations")
        entry["annotations"] = {**(known if isinstance(known, dict) else {}), **changes.annotations}
    return entry


def as_format(document: Document, media_type: str) -> Document:
    """The same list in the other family. Raises UsageError for what the other one has no words for."""
    if document.get("mediaType") == media_type:
        return document
    if media_type == media_types.DOCKER_LIST:
        entries = document.get("manifests") or []
        for part in (document, *(it for it in entries if isinstance(it, dict))):
            for field in _OCI_ONLY:
                if part.get(field):
                    raise UsageError(
                        f"a Docker manifest list (v2s2) cannot have '{field}', as this list has",
                        hint="--format oci",
                    )
    return {**document, "mediaType": media_type}


def _fitting(document: Document) -> Document:
    """A Docker list that has come to say what only OCI has words for becomes an OCI index."""
    if document.get("mediaType") in _ANNOTATED:
        return document
    entries = document.get("manifests") or []
    parts = [document, *(it for it in entries if isinstance(it, dict))]
    if any(part.get(field) for part in parts for field in _OCI_ONLY):
        return {**document, "mediaType": media_types.OCI_INDEX}
    return document


def to_bytes(document: Document) -> bytes:
    """As it is stored."""
    from pod.base import plainjson

    return plainjson.dumps(document).encode()


def parse_annotations(texts: Iterable[str], option: str) -> dict[str, str]:
    """KEY=VALUE, several times. Raises UsageError."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"invalid argument '{text}' for '{option}': KEY=VALUE is expected")
        found[key] = value
    return found
