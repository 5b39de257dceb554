"""Artifacts: files that are kept as images are, and are none. Which names stand for which is in `artifacts.json`.

The file lies beside the index of the images and has its form; blobs are among theirs. Writers hold the store's lock.
"""

from __future__ import annotations

from pod.base import files
from pod.base.errors import PodError
from pod.base.records import Record
from pod.spec.digest import hex_of, is_digest
from storage.directories import make_private
from storage.facts import document_of
from storage.images import REF_NAME, repository_of, size_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from storage.blobs import BlobStore
    from storage.locks import FileLock

    Descriptor = dict[str, Any]

_SHORTEST_ID = 3
_HEX = frozenset("0123456789abcdef")
_INDEX = "application/vnd.oci.image.index.v1+json"


class ArtifactNotFound(PodError):
    """No artifact here has this name or digest."""

    def __init__(self, wanted: str) -> None:
        super().__init__(f"artifact '{wanted}' is not here", hint="pod artifact ls")


class ArtifactExists(PodError):
    """A new artifact was to get a name that another one has."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is an artifact '{name}' already",
            hint=f"pod artifact add --append {name} FILE, or pod artifact add --replace {name} FILE",
        )


class ArtifactRecord(Record):
    """An artifact as it is shown."""

    name: str
    digest: str
    media_type: str
    manifest_size: int
    blobs: BlobStore

    def data(self) -> bytes:
        """The manifest as it came. Raises BlobNotFound, DigestMismatch."""
        return self.blobs.read(self.digest)

    def manifest(self) -> dict[str, Any]:
        """What is in it. Raises BlobNotFound, DigestMismatch, DamagedImage."""
        return document_of(self.blobs, self.digest)


class ArtifactStore:
    """The artifacts in the store of images whose directory is `directory`."""

    def __init__(self, directory: str, blobs: BlobStore, lock: Callable[[], FileLock]) -> None:
        self._path = f"{directory}/artifacts.json"
        self._directory = directory
        self._blobs = blobs
        self._lock = lock

    def list(self) -> Sequence[ArtifactRecord]:
        """All artifacts, in the order in which they came."""
        return [self._record(entry) for entry in self._entries()]

    def lookup(self, name_or_digest: str) -> ArtifactRecord:
        """The artifact with this full name, or a digest that begins so. Raises ArtifactNotFound."""
        records = self.list()
        for record in records:
            if name_or_digest == record.name:
                return record
        repository, _, digest = name_or_digest.partition("@")
        for record in records:
            if digest == record.digest and repository_of(record.name) == repository_of(repository):
                return record
        digits = name_or_digest.removeprefix("sha256:")
        if len(digits) >= _SHORTEST_ID and _HEX.issuperset(digits):
            found = [record for record in records if hex_of(record.digest).startswith(digits)]
            if len({record.digest for record in found}) == 1:
                return found[0]
        raise ArtifactNotFound(name_or_digest)

    def put(
        self,
        name: str,
        make: Callable[[ArtifactRecord | None], tuple[bytes, str]],
    ) -> ArtifactRecord:
        """Let `name` stand for the manifest that `make` returns, with its media type.

        `make` is called under the store's lock with what has the name now, and must be quick; it may raise.
        """
        with self._lock():
            entries = self._entries()
            before = next((entry for entry in entries if _name(entry) == name), None)
            data, media_type = make(None if before is None else self._record(before))
            entry = {
                "mediaType": media_type,
                "digest": self._blobs.add(data),
                "size": len(data),
                "annotations": {REF_NAME: name},
            }
            self._write([*(it for it in entries if it is not before), entry])
        return self._record(entry)

    def remove(self, name: str) -> None:
        """Forget the artifact with a full name; what only it needed is garbage then. Raises ArtifactNotFound."""
        with self._lock():
            entries = self._entries()
            kept = [entry for entry in entries if _name(entry) != name]
            if len(kept) == len(entries):
                raise ArtifactNotFound(name)
            self._write(kept)

    def _record(self, entry: Descriptor) -> ArtifactRecord:
        media_type = entry.get("mediaType")
        return ArtifactRecord(
            _name(entry),
            entry["digest"],
            media_type if isinstance(media_type, str) else "",
            size_of(entry),
            self._blobs,
        )

    def _entries(self) -> Sequence[Descriptor]:
        try:
            document = files.read_json(self._path)
        except FileNotFoundError:
            return []
        if not isinstance(document, dict) or not isinstance(document.get("manifests"), list):
            raise files.DamagedFile(self._path, "it is not a list of artifacts")
        return [
            entry
            for entry in document["manifests"]
            if isinstance(entry, dict) and is_digest(str(entry.get("digest"))) and _name(entry)
        ]

    def _write(self, entries: Sequence[Descriptor]) -> None:
        make_private(f"{self._directory}/blobs")
        index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}
        files.write_json(self._path, index, mode=0o644)


def _name(entry: Descriptor) -> str:
    annotations = entry.get("annotations")
    name = annotations.get(REF_NAME) if isinstance(annotations, dict) else None
    return name if isinstance(name, str) else ""
