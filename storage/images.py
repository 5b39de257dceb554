"""Images: which names stand for which manifests. All of it is `index.json` of an OCI image layout.

A name is a full reference with tag ("docker.io/library/nginx:latest") or digest; an image without names has a
descriptor without annotation. `facts.json` beside the index keeps what manifests and configurations say, by manifest
digest, so that a list of images reads two files; it can be thrown away. Writers hold the store's lock, readers need
none.

See the OCI image layout specification.
"""

from __future__ import annotations

import os

from pod.base import files, plainjson
from pod.base.errors import PodError
from pod.base.records import Record
from pod.spec.digest import hex_of, is_digest
from storage.blobs import BlobNotFound, digest_of
from storage.facts import KnownFacts, document_of, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any

    from storage.blobs import BlobStore
    from storage.layers import LayerStore
    from storage.lists import ListRecord
    from storage.locks import FileLock

    Descriptor = dict[str, Any]
    Descriptors = list[Descriptor]
    Images = list["ImageRecord | None"]

REF_NAME = "org.opencontainers.image.ref.name"
INDEX_DIGEST = "io.pod.image.index"
"""Annotation: the digest of the multi-platform index that the name was resolved through, when it was pulled."""

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
LIST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
"""Entries of these types are lists of images: see lists.py."""
_SHORTEST_ID = 3
_HEX = frozenset("0123456789abcdef")


class ImageNotFound(PodError):
    """No image here has this name or id."""

    def __init__(self, wanted: str) -> None:
        super().__init__(f"image '{wanted}' is not here", hint=f"pod pull {wanted}")
        self.wanted = wanted


class AmbiguousId(PodError):
    """Several images have an id that begins so."""

    def __init__(self, wanted: str, ids: Iterable[str]) -> None:
        shown = ", ".join(hex_of(image_id)[:12] for image_id in sorted(ids))
        super().__init__(
            f"'{wanted}' is the beginning of several image ids", hint=f"one of {shown}"
        )


class ImageIncomplete(PodError):
    """A manifest was to be named whose blobs or layers are not all here; another command may have removed them."""

    def __init__(self, digest: str, missing: Sequence[str]) -> None:
        super().__init__(
            f"image '{digest}' is incomplete: {missing[0]} is missing", hint="pull it again"
        )
        self.missing = tuple(missing)


class Layer(Record):
    """A layer as a manifest lists it."""

    digest: str
    size: int
    media_type: str


class ImageRecord(Record):
    """An image as it is shown and used: one manifest, its names, and what its configuration says."""

    id: str
    """Digest of the configuration."""
    digest: str
    """Digest of the manifest."""
    media_type: str
    manifest_size: int
    names: tuple[str, ...]
    index_digests: tuple[str, ...]
    """Digests of the multi-platform indexes it was pulled through."""
    created: str
    """As in the configuration, RFC 3339; "" when it does not say."""
    size: int
    """Bytes of the unpacked layers' archives, and of the configuration."""
    compressed_size: int
    os: str
    architecture: str
    variant: str
    layers: tuple[Layer, ...]
    diff_ids: tuple[str, ...]
    blobs: BlobStore

    def manifest(self) -> dict[str, Any]:
        """The manifest as it came. Raises BlobNotFound, DigestMismatch."""
        return document_of(self.blobs, self.digest)

    def config(self) -> dict[str, Any]:
        """The configuration as it came. Raises BlobNotFound, DigestMismatch."""
        return document_of(self.blobs, self.id)

    @property
    def platform(self) -> str:
        """Such as "linux/arm64/v8"."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)

    @property
    def blob_digests(self) -> tuple[str, ...]:
        """The digests of all that it is made of: manifest, configuration, archives of layers."""
        return self.digest, self.id, *(layer.digest for layer in self.layers)

    def descriptor(self) -> Descriptor:
        """What refers to this image."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.manifest_size}


class ImageStore:
    """The images in the OCI image layout `directory`."""

    def __init__(
        self,
        directory: str,
        blobs: BlobStore,
        layers: Callable[[], LayerStore],
        lock: Callable[[], FileLock],
    ) -> None:
        """`layers` gives the layers, which are needed only for what is new."""
        self.directory = directory
        self.blobs = blobs
        self.facts = KnownFacts(f"{directory}/facts.json", blobs, layers)
        self.lock = lock
        self._find_layers = layers

    @property
    def layers(self) -> LayerStore:
        """The layers that images stand on."""
        return self._find_layers()

    # Reading

    def list(self) -> Sequence[ImageRecord]:
        """All images, one for each manifest, in the order in which they came. Damaged ones are left out."""
        return [image for image in self._images(self._grouped()) if image is not None]

    def list_all(self) -> Sequence[ImageRecord | ListRecord]:
        """All images, and then all lists of images."""
        entries = self.entries()
        found = [image for image in self._images(self._grouped(entries)) if image is not None]
        if not any(map(is_list, entries)):
            return found
        from storage.lists import records_of

        return [*found, *records_of(entries, self.blobs)]

    def lookup(self, name_or_id: str) -> ImageRecord:
        """The image with this full name, this digest, or an id that begins so.

        "REPOSITORY@DIGEST" finds an image that has a name of the repository and was pulled with that digest, or through
        an index with it. Raises ImageNotFound, AmbiguousId, BlobNotFound for a damaged image.
        """
        grouped = self._grouped()
        for group in grouped.values():
            if name_or_id in group.names:
                return self._image(group)
        repository, at, digest = (
            repository_of(name_or_id),
            "@" in name_or_id,
            name_or_id.partition("@")[2],
        )
        if at:
            for group in grouped.values():
                same = digest == group.digest or digest in group.index_digests
                if same and any(repository_of(name) == repository for name in group.names):
                    return self._image(group)
            raise ImageNotFound(name_or_id)
        return self._lookup_id(name_or_id, grouped)

    def find_named(self, names: Iterable[str]) -> ImageRecord | ListRecord | None:
        """The image, or the list, with the first of these full names that any has; None when none has one.

        For names that are tried in turn: reads the index once. Raises BlobNotFound for a damaged image.
        """
        entries = self.entries()
        by_name = {name_of(entry): entry for entry in entries}
        for name in names:
            entry = by_name.get(name)
            if entry is None:
                continue
            if is_list(entry):
                from storage.lists import record_of

                return record_of(entry, entries, self.blobs)
            return self._image(self._grouped(entries)[entry["digest"]])
        return None

    def names(self) -> Sequence[tuple[str, str]]:
        """All names, of lists too, each with the digest that it stands for. Reads nothing but the index."""
        found = []
        for entry in self.entries():
            name = name_of(entry)
            if name is not None:
                found.append((name, str(entry["digest"])))
        return found

    def member(
        self, descriptor: Descriptor, names: tuple[str, ...] = (), index_digest: str = ""
    ) -> ImageRecord:
        """The image that an entry of a list describes, with the names of the list. Its layers may have to be unpacked.

        Raises BlobNotFound when its manifest or configuration is not here, DamagedImage when it is no image.
        """
        group = _Group(descriptor)
        group.names += names
        group.index_digests += [index_digest] if index_digest else []
        image = self._image(group)
        for digest in (image.digest, image.id):  # what is known of them may outlive them
            if not self.blobs.has(digest):
                raise BlobNotFound(digest)
        return image

    def incomplete(self) -> Sequence[tuple[str, tuple[str, ...]]]:
        """Digests and names of manifests that are named but cannot be read, for `system check`."""
        groups = self._grouped()
        images = self._images(groups)
        return [
            (group.digest, tuple(group.names))
            for group, image in zip(groups.values(), images, strict=True)
            if image is None
        ]

    def last_use_ns(self, image_id: str) -> int:
        """When the image was last pulled, named, or needed by a container; 0 when it is not here."""
        try:
            return os.stat(self.blobs.path(image_id)).st_mtime_ns
        except FileNotFoundError:
            return 0

    # Writing

    def note_use(self, image_id: str, when_ns: int) -> None:
        """Remember that the image was in use then: as the time of its configuration's blob, which says nothing else.

        Costs no space, so that a full disk is no obstacle, and no sync.
        """
        try:
            if when_ns > self.last_use_ns(image_id):
                os.utime(self.blobs.path(image_id), ns=(when_ns, when_ns))
        except OSError:
            pass  # it only decides what prune --until-free takes first

    def set_name(
        self, name: str, descriptor: Descriptor, *, index_digest: str | None = None
    ) -> None:
        """Let `name` stand for the manifest of `descriptor`, and no longer for what it stood for.

        The manifest's blobs and layers must be here; otherwise ImageIncomplete, and nothing is changed. An image that
        loses its last name stays, nameless; a manifest of an image that has others does not. Takes the store's lock.
        """
        from storage.index import add

        with self.lock():
            add(self, descriptor, name, index_digest)

    def add_nameless(self, descriptor: Descriptor) -> None:
        """Keep a manifest that has no name, unless it has one. Takes the store's lock. Raises ImageIncomplete."""
        from storage.index import add

        with self.lock():
            add(self, descriptor, None, None)

    def remove_name(self, name: str) -> None:
        """Take a name away; the image stays, if need be without any. Takes the store's lock. Raises ImageNotFound."""
        from storage.index import release_name, write

        with self.lock():
            entries = self.entries()
            if not release_name(entries, name):
                raise ImageNotFound(name)
            write(self, entries)

    def remove_manifest(self, digest: str) -> None:
        """Forget a manifest with all its names; what only it needed is garbage then. Takes the store's lock."""
        from storage.index import write

        with self.lock():
            entries = self.entries()
            kept = [entry for entry in entries if entry["digest"] != digest or is_list(entry)]
            if len(kept) == len(entries):
                raise ImageNotFound(digest)
            write(self, kept)

    def remove_nameless(self, digest: str) -> None:
        """Forget a manifest if it has no name; what only it needed is garbage then. Takes the store's lock."""
        from storage.index import write

        with self.lock():
            entries = self.entries()
            kept = [
                entry
                for entry in entries
                if entry["digest"] != digest or is_list(entry) or name_of(entry) is not None
            ]
            if len(kept) < len(entries):
                write(self, kept)

    def add_image(
        self,
        config: bytes,
        layers: Iterable[Layer],
        *,
        name: str | None = None,
        annotations: dict[str, str] | None = None,
        types: tuple[str, str] = (MANIFEST, CONFIG),
    ) -> ImageRecord:
        """Make an image of layers that are here: write configuration and manifest, and name it.

        `types` are the media types of manifest and configuration, which must suit those of the layers.
        Takes the store's lock. Raises ImageIncomplete.
        """
        manifest: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": types[0],
            "config": {"mediaType": types[1], "digest": digest_of(config), "size": len(config)},
            "layers": [
                {"mediaType": layer.media_type, "digest": layer.digest, "size": layer.size}
                for layer in layers
            ],
        }
        if annotations:
            manifest["annotations"] = annotations
        data = plainjson.dumps(manifest).encode()
        descriptor = {"mediaType": types[0], "digest": digest_of(data), "size": len(data)}
        from storage.index import add

        with self.lock():  # so that nobody collects the two blobs before something names them
            self.blobs.add(config)
            self.blobs.add(data)
            add(self, descriptor, name, None)
        try:
            return self.lookup(digest_of(data))
        except ImageNotFound:  # nameless, and the image is here with another manifest
            return self.lookup(digest_of(config))

    # Parts

    def _lookup_id(self, wanted: str, grouped: dict[str, _Group]) -> ImageRecord:
        if is_digest(wanted) and wanted in grouped:
            return self._image(grouped[wanted])
        digits = wanted.removeprefix("sha256:")
        if len(digits) < _SHORTEST_ID or not _HEX.issuperset(digits):
            raise ImageNotFound(wanted)
        found = [
            image
            for image in self._images(grouped)
            if image is not None and hex_of(image.id).startswith(digits)
        ]
        ids = {image.id for image in found}
        if len(ids) > 1:
            raise AmbiguousId(wanted, ids)
        if not found:
            return self._lookup_member(wanted, digits)
        # Of several manifests with one configuration, one that has a name.
        return next((image for image in found if image.names), found[0])

    def _lookup_member(self, wanted: str, digits: str) -> ImageRecord:
        """An image that nothing but a list names, as containers refer to it."""
        entries = self.entries()
        if any(map(is_list, entries)):
            from storage.lists import members_here

            for member in members_here(self, entries):
                if member.digest == wanted or hex_of(member.id).startswith(digits):
                    return member
        raise ImageNotFound(wanted)

    def entries(self) -> Descriptors:
        """The descriptors of the index. What other tools have put there and is not an image by digest is left out."""
        try:
            index = files.read_json(f"{self.directory}/index.json")
        except FileNotFoundError:
            return []
        if not isinstance(index, dict) or not isinstance(index.get("manifests"), list):
            raise files.DamagedFile(f"{self.directory}/index.json", "it is not an index of images")
        return [
            entry
            for entry in index["manifests"]
            if isinstance(entry, dict) and is_digest(str(entry.get("digest")))
        ]

    def _grouped(self, entries: Descriptors | None = None) -> dict[str, _Group]:
        groups: dict[str, _Group] = {}
        for entry in self.entries() if entries is None else entries:
            if is_list(entry):
                continue
            digest = entry["digest"]
            group = groups.get(digest)
            if group is None:
                group = groups[digest] = _Group(entry)
            annotations = entry.get("annotations")
            if isinstance(annotations, dict):
                if isinstance(name := annotations.get(REF_NAME), str):
                    group.names.append(name)
                if isinstance(index := annotations.get(INDEX_DIGEST), str):
                    group.index_digests.append(index)
        return groups

    def _image(self, group: _Group) -> ImageRecord:
        known = self.facts.load()
        facts = known.get(group.digest)
        if facts is None:
            facts = self.facts.read(group.digest)
            if facts["complete"]:
                self.facts.keep({**known, group.digest: facts})
        return _image_record(group, facts, self.blobs)

    def _images(self, grouped: dict[str, _Group]) -> Images:
        """In order; None for those that cannot be read. Facts that were not known are kept for the next time."""
        known = self.facts.load()
        images: list[ImageRecord | None] = []
        learnt = False
        for digest, group in grouped.items():
            facts = known.get(digest)
            if facts is None:
                try:
                    facts = self.facts.read(digest)
                except PodError:
                    images.append(None)
                    continue
                if facts["complete"]:
                    known[digest], learnt = facts, True
            images.append(_image_record(group, facts, self.blobs))
        if learnt or len(known) > len(grouped) + 50:
            self.facts.keep({digest: known[digest] for digest in grouped if digest in known})
        return images


class _Group:
    """The entries of one manifest."""

    __slots__ = ("digest", "entry", "index_digests", "names")

    def __init__(self, entry: Descriptor) -> None:
        self.entry = entry
        self.digest: str = entry["digest"]
        self.names: list[str] = []
        self.index_digests: list[str] = []


def _image_record(group: _Group, facts: dict[str, Any], blobs: BlobStore) -> ImageRecord:
    return ImageRecord(
        id=facts["id"],
        digest=group.digest,
        media_type=text(group.entry.get("mediaType")) or MANIFEST,
        manifest_size=size_of(group.entry),
        names=tuple(group.names),
        index_digests=tuple(dict.fromkeys(group.index_digests)),
        created=facts["created"],
        size=facts["size"],
        compressed_size=facts["compressed_size"],
        os=facts["os"],
        architecture=facts["architecture"],
        variant=facts["variant"],
        layers=tuple(Layer(*layer) for layer in facts["layers"]),
        diff_ids=tuple(facts["diff_ids"]),
        blobs=blobs,
    )


def is_list(entry: Descriptor) -> bool:
    """Whether an entry of the index is a list of images."""
    return entry.get("mediaType") in LIST_TYPES


def size_of(entry: Descriptor) -> int:
    """The size that an entry gives; 0 for nonsense of another tool."""
    size = entry.get("size")
    return size if isinstance(size, int) and size > 0 else 0


def name_of(entry: Descriptor) -> str | None:
    """The name that an entry of the index gives."""
    annotations = entry.get("annotations")
    name = annotations.get(REF_NAME) if isinstance(annotations, dict) else None
    return name if isinstance(name, str) else None


def repository_of(name: str) -> str:
    """A full name without tag and digest."""
    name = name.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]
