"""The signatures of one image, fetched when asked for: from a lookaside and the registry, or from a `dir:`."""

from __future__ import annotations

from pod.image.trust import lookaside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pod.image.parts import Parts
    from pod.image.registry import Registry
    from pod.image.trust.lookaside import SignaturePlaces
    from pod.image.trust.sigstore import Attachment


class InRegistry:
    """Signatures of the manifest `digest`, of an image that comes from `registry`, which may be a mirror.

    `version` is the tag or digest that was asked for, for which registries.d may have a rule of its own.
    """

    def __init__(
        self, registry: Registry, version: str, digest: str, places: SignaturePlaces
    ) -> None:
        separator = "@" if ":" in version else ":"
        self._name = f"{registry.endpoint.name}{separator}{version}"
        self._registry = registry
        self._digest = digest
        self._places = places
        self._beside: list[bytes] | None = None

    def simple(self) -> Sequence[bytes]:
        return [blob for blob in self._lookaside() if not is_tagged(blob)]

    def sigstore(self) -> Sequence[Attachment]:
        found = tagged(self._lookaside())
        if self._places.has_attachments(self._name):
            from pod.image.trust import attachments

            found += attachments.fetch(self._registry, self._digest)
        return found

    def _lookaside(self) -> list[bytes]:
        if self._beside is None:
            endpoint = self._registry.endpoint
            self._beside = lookaside.read(
                self._places.reading(self._name),
                endpoint.repository,
                self._digest,
                self._registry.http,
                insecure=endpoint.insecure,
            )
        return self._beside


class InDirectory:
    """Signatures in a `dir:`: signature-1, signature-2 and so on beside the manifest. Other files have none."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def simple(self) -> Sequence[bytes]:
        return [blob for blob in self._all() if not is_tagged(blob)]

    def sigstore(self) -> Sequence[Attachment]:
        return tagged(self._all())

    def _all(self) -> list[bytes]:
        found: list[bytes] = []
        while len(found) < lookaside.MAX_SIGNATURES:
            name = f"signature-{len(found) + 1}"
            if not self._parts.has(name):
                break
            found.append(self._parts.read(name))
        return found


def is_tagged(blob: bytes) -> bool:
    """Whether a filed signature says of itself what it is, as all but OpenPGP's do."""
    return blob.startswith(b"\0")


def tagged(blobs: Iterable[bytes]) -> list[Attachment]:
    """Those of sigstore among filed signatures."""
    from pod.image.trust import sigstore

    found = (sigstore.from_blob(blob) for blob in blobs)
    return [one for one in found if one is not None]


class Nowhere:
    """No signature."""

    def simple(self) -> Sequence[bytes]:
        return ()

    def sigstore(self) -> Sequence[Attachment]:
        return ()
