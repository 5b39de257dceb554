"""The promise of a Rekor transparency log that it has noted a signature, verified without asking the log.

The log's own signature (the "signed entry timestamp") is over a short document with the entry in it; the entry must be
about this very signature, key and payload.

Source: containers-policy.json(5), rekorPublicKeyPath; "Inclusion promise" and type "hashedrekord" of sigstore/rekor.
"""

from __future__ import annotations

import hashlib
import json

from pod.image.policy import without_duplicates
from pod.image.trust import sigstore
from pod.image.trust.openpgp import BadSignature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.image.trust.sigstore import Attachment

_ABSENT = "no transparency log has noted it"
_WRONG = "the note of the transparency log is not about it"


def check(attachment: Attachment, key: Any, logs: Sequence[Any]) -> None:
    """Raise BadSignature unless one of the keys `logs` vouches for the attachment, which `key` has signed."""
    text = attachment.annotations.get(sigstore.BUNDLE, "")
    if not text:
        raise BadSignature(_ABSENT)
    bundle = _document(text)
    promise, noted = bundle.get("SignedEntryTimestamp"), bundle.get("Payload")
    if not isinstance(promise, str) or not isinstance(noted, dict):
        raise BadSignature(_WRONG)
    # Canonical JSON (RFC 8785); for text and integers it is this.
    if set(noted) != {"body", "integratedTime", "logIndex", "logID"}:
        raise BadSignature(_WRONG)
    if not all(type(noted[name]) is int for name in ("integratedTime", "logIndex")):
        raise BadSignature(_WRONG)
    signed = json.dumps(noted, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
    stamp = sigstore.decoded(promise)
    if not any(sigstore.is_signed(log, stamp, signed) for log in logs):
        raise BadSignature("the transparency log that has noted it is not one of the policy")
    _check_entry(noted["body"], attachment, key)


def _check_entry(body: Any, attachment: Attachment, key: Any) -> None:
    if not isinstance(body, str):
        raise BadSignature(_WRONG)
    entry = _document(sigstore.decoded(body).decode("utf-8", "replace"))
    if entry.get("kind") != "hashedrekord" or entry.get("apiVersion") != "0.0.1":
        raise BadSignature(_WRONG)
    try:
        spec = entry["spec"]
        signature, hashed = spec["signature"], spec["data"]["hash"]
        noted_key = sigstore.decoded(signature["publicKey"]["content"])
        noted_signature = sigstore.decoded(signature["content"])
        algorithm, value = hashed["algorithm"], hashed["value"]
    except (KeyError, TypeError) as error:
        raise BadSignature(_WRONG) from error
    if (
        noted_signature != sigstore.decoded(attachment.annotations[sigstore.SIGNATURE])
        or (algorithm, value) != ("sha256", hashlib.sha256(attachment.payload).hexdigest())
        or not _is_key(noted_key, key)
    ):
        raise BadSignature(_WRONG)


def _is_key(pem: bytes, key: Any) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm  # heavy
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_public_key,
    )

    def der(one: Any) -> bytes:
        return bytes(one.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

    try:
        return der(load_pem_public_key(pem)) == der(key)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def _document(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=without_duplicates)
    except (ValueError, RecursionError) as error:
        raise BadSignature(_WRONG) from error
    if not isinstance(value, dict):
        raise BadSignature(_WRONG)
    return value
