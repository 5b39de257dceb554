"""Signatures that are in the registry itself, as an image at the tag `sha256-HEX.sig` beside what they sign.

Each layer of that image is a payload, with the signature in its annotations.

Source: sigstore's SIGNATURE_SPEC.md of cosign, "Storage"; containers-registries.d(5), use-sigstore-attachments.
"""

from __future__ import annotations

import json
import os

from pod.image import failures
from pod.image.document import Fields, InvalidImage, parse_object
from pod.image.media_types import OCI_CONFIG, OCI_MANIFEST
from pod.image.trust import sigstore
from pod.image.trust.lookaside import MAX_ALL_BYTES, MAX_SIGNATURES
from pod.image.trust.payload import MAX_BYTES
from pod.image.trust.sigstore import Attachment
from pod.image.upload import Content
from pod.spec.digest import algorithm_of
from storage.blobs import DigestMismatch, digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pod.image.push import Destination
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
    found: list[Attachment] = []
    for layer in fields.objects("layers", MAX_SIGNATURES):
        if layer.text("mediaType") != sigstore.PAYLOAD_TYPE:
            continue
        size, blob = layer.size("size"), layer.digest("digest")
        if size > MAX_BYTES:
            raise layer.wrong("size", f"at most {MAX_BYTES}", size)
        if size + sum(len(one.payload) for one in found) > MAX_ALL_BYTES:
            raise InvalidImage(what, f"its payloads have more than {MAX_ALL_BYTES} bytes")
        payload = registry.small_blob(blob, size)
        actual = digest_of(payload, algorithm_of(blob))
        if actual != blob:
            raise DigestMismatch(blob, actual)
        found.append(Attachment(payload, layer.text_map("annotations")))
    return found


def add(destination: Destination, digest: str, attachment: Attachment) -> None:
    """Put a signature of a manifest beside it, with those that are there. Raises RegistryError, InvalidImage.

    The tag is replaced as a whole, as every program does it: of two that sign at the same moment, one may be lost.
    """
    tag = tag_for(digest)
    what = f"list of signatures '{tag}'"
    layers: list[Any] = []
    diff_ids: list[Any] = []
    try:
        there = destination.registry.manifest(tag)
    except (failures.ManifestUnknown, failures.RepositoryUnknown):
        pass
    else:
        fields = Fields(parse_object(there.data, what), what)
        layers = [layer.values for layer in fields.objects("layers", MAX_SIGNATURES - 1)]
        diff_ids = [layer.digest("digest") for layer in fields.objects("layers")]
    own = digest_of(attachment.payload)
    layers.append(_descriptor(sigstore.PAYLOAD_TYPE, attachment.payload, attachment.annotations))
    config = {
        "architecture": "",
        "os": "",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [*diff_ids, own]},
    }
    config_data = json.dumps(config, separators=(",", ":")).encode()
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(OCI_CONFIG, config_data),
        "layers": layers,
    }
    destination.put_blobs([_content(attachment.payload), _content(config_data)])
    data = json.dumps(document, separators=(",", ":")).encode()
    destination.put_manifest(data, OCI_MANIFEST, tag)


def _descriptor(
    media_type: str, data: bytes, annotations: Mapping[str, str] | None = None
) -> dict[str, Any]:
    found = {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}
    return {**found, "annotations": dict(annotations)} if annotations else found


def _content(data: bytes) -> Content:
    """A document as what is uploaded; the uploader closes the descriptor."""

    def opened() -> int:
        fd = os.memfd_create("signature", os.MFD_CLOEXEC)
        os.write(fd, data)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    return Content(digest_of(data), len(data), opened)
