"""Signatures that are in the registry itself, as an image at the tag `sha256-HEX.sig` beside what they sign.

Each layer of that image is a payload, with the signature in its annotations.

Source: sigstore's SIGNATURE_SPEC.md of cosign, "Storage"; containers-registries.d(5), use-sigstore-attachments.
"""

from __future__ import annotations

from pod.image import failures
from pod.image.document import Fields, parse_object
from pod.image.trust import sigstore
from pod.image.trust.lookaside import MAX_SIGNATURES
from pod.image.trust.payload import MAX_BYTES
from pod.image.trust.sigstore import Attachment
from pod.spec.digest import algorithm_of
from storage.blobs import DigestMismatch, digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.image.registry import Registry


def tag_for(digest: str) -> str:
    """The tag under which the signatures of a manifest are."""
    return f"{digest.replace(':', '-')}.sig"


def fetch(registry: Registry, digest: str) -> list[Attachment]:
    """The signatures of a manifest; none when there is no such tag. Raises RegistryError, InvalidImage."""
    tag = tag_for(digest)
    try:
        manifest = registry.manifest(tag)
    except (failures.ManifestUnknown, failures.RepositoryUnknown):
        return []
    what = f"list of signatures '{tag}'"
    fields = Fields(parse_object(manifest.data, what), what)
    found = []
    for layer in fields.objects("layers", MAX_SIGNATURES):
        if layer.text("mediaType") != sigstore.PAYLOAD_TYPE:
            continue
        size, blob = layer.size("size"), layer.digest("digest")
        if size > MAX_BYTES:
            raise layer.wrong("size", f"at most {MAX_BYTES}", size)
        payload = registry.small_blob(blob, size)
        actual = digest_of(payload, algorithm_of(blob))
        if actual != blob:
            raise DigestMismatch(blob, actual)
        found.append(Attachment(payload, layer.text_map("annotations")))
    return found
