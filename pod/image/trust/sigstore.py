"""Signatures in the form of sigstore, by keys that the person has: made, verified, and as text beside a registry.

What is signed is the payload itself; the signature stands in an annotation beside it. Certificates of Fulcio are not
accepted. The Python package `cryptography` does the arithmetic.

Source: sigstore's SIGNATURE_SPEC.md of cosign; containers-policy.json(5), "sigstoreSigned".
"""

from __future__ import annotations

import base64
import binascii
import json

from pod.base.errors import PodError
from pod.base.records import Record
from pod.image.policy import without_duplicates
from pod.image.trust.openpgp import BadKey, BadSignature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE = "dev.cosignproject.cosign/signature"
BUNDLE = "dev.sigstore.cosign/bundle"
_BLOB_START = b"\0sigstore-json\n"


class NoCryptography(PodError):
    """The package is missing."""

    def __init__(self) -> None:
        super().__init__(
            "signatures in the form of sigstore need the Python package 'cryptography', which is not installed",
            hint="pip install 'pod-containers[sigstore]', or apt install python3-cryptography",
        )


class Attachment(Record):
    """A signature: what was signed, and the annotations beside it."""

    payload: bytes
    annotations: Mapping[str, str] = {}


def public_key(source: str, pem: bytes) -> Any:
    """An ECDSA, RSA or Ed25519 key in PEM. Raises BadKey, NoCryptography."""
    require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm  # heavy
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey(source, "it is no public key in PEM") from error
    if not isinstance(key, (ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, rsa.RSAPublicKey)):
        raise BadKey(source, "it is of another kind than ECDSA, RSA and Ed25519")
    return key


def check(attachment: Attachment, keys: Sequence[Any]) -> Any:
    """The one of `keys` that has made the signature. Raises BadSignature when none has."""
    signature = decoded(attachment.annotations.get(SIGNATURE, ""))
    for key in keys:
        if is_signed(key, signature, attachment.payload):
            return key
    raise BadSignature("it is not by a key that the policy names")


def is_signed(key: Any, signature: bytes, content: bytes) -> bool:
    """Whether `signature` is by this key and over this content; with SHA-256 where the kind of key leaves a choice."""
    from cryptography.exceptions import InvalidSignature  # heavy
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, content, ec.ECDSA(hashes.SHA256()))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, content, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, content)
    except InvalidSignature:
        return False
    return True


def sign(content: bytes, key: Any) -> Attachment:
    """`content` with its signature by a private key, as `sigstore_key.load` returns it."""
    from cryptography.hazmat.primitives import hashes  # heavy
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    if isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(content, ec.ECDSA(hashes.SHA256()))
    elif isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = key.sign(content)
    return Attachment(content, {SIGNATURE: base64.b64encode(signature).decode()})


def from_blob(blob: bytes) -> Attachment | None:
    """A signature as containers/image files it beside GPG's; None for what is no such thing, or broken."""
    if not blob.startswith(_BLOB_START):
        return None
    try:
        document = json.loads(blob[len(_BLOB_START) :], object_pairs_hook=without_duplicates)
        payload, annotations = base64.b64decode(document["payload"]), document["annotations"]
        if document["mimeType"] != PAYLOAD_TYPE:
            return None
        return Attachment(payload, {str(name): str(value) for name, value in annotations.items()})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def decoded(text: str) -> bytes:
    """Base64, or BadSignature."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSignature("it is not in base64") from error


def require_cryptography() -> None:
    """Raise NoCryptography unless the package is there."""
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise NoCryptography from error
