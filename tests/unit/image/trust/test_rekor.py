"""The promise of a transparency log: it counts for this signature, this key and this payload alone."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pod.image.trust import rekor, sigstore
from pod.image.trust.openpgp import BadSignature
from pod.image.trust.sigstore import Attachment

KEY, LOG, OTHER = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
PAYLOAD = b'{"critical": {}}'
LOG_ID = "c0" * 32


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def pem(key: Any) -> bytes:
    return bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def entry(attachment: Attachment, key: Any = KEY, **changes: Any) -> dict[str, Any]:
    signature = attachment.annotations[sigstore.SIGNATURE]
    spec = {
        "data": {
            "hash": {
                "algorithm": "sha256",
                "value": hashlib.sha256(attachment.payload).hexdigest(),
            }
        },
        "signature": {"content": signature, "publicKey": {"content": text(pem(key))}},
    }
    return {"apiVersion": "0.0.1", "kind": "hashedrekord", "spec": spec, **changes}


def promised(attachment: Attachment, body: Any, by: Any = LOG, /, **changes: Any) -> Attachment:
    """The attachment with a bundle in which the log `by` vouches for `body`."""
    noted = {
        "body": text(json.dumps(body).encode()),
        "integratedTime": 1_700_000_000,
        "logIndex": 7,
        "logID": LOG_ID,
        **changes,
    }
    signed = json.dumps(noted, separators=(",", ":"), sort_keys=True).encode()
    promise = text(by.sign(signed, ec.ECDSA(hashes.SHA256())))
    bundle = json.dumps({"SignedEntryTimestamp": promise, "Payload": noted})
    return attachment.replace(annotations={**attachment.annotations, sigstore.BUNDLE: bundle})


def check(attachment: Attachment) -> None:
    rekor.check(attachment, KEY.public_key(), [OTHER.public_key(), LOG.public_key()])


def test_a_noted_signature_counts() -> None:
    made = sigstore.sign(PAYLOAD, KEY)
    check(promised(made, entry(made)))


def test_without_a_note_it_does_not() -> None:
    with pytest.raises(BadSignature, match="no transparency log"):
        check(sigstore.sign(PAYLOAD, KEY))


def test_another_log_does_not_count() -> None:
    made = sigstore.sign(PAYLOAD, KEY)
    with pytest.raises(BadSignature, match="not one of the policy"):
        check(promised(made, entry(made), ec.generate_private_key(ec.SECP256R1())))


def test_a_note_about_something_else_does_not_count() -> None:
    made, other = sigstore.sign(PAYLOAD, KEY), sigstore.sign(b"other", KEY)
    for body in (
        entry(other),
        entry(made, OTHER),
        entry(made, kind="intoto"),
        entry(made, apiVersion="0.0.2"),
        entry(made, spec={}),
        entry(made, spec=[]),
        [],
        5,
    ):
        with pytest.raises(BadSignature, match="not about it"):
            check(promised(made, body))


@pytest.mark.parametrize(
    "changes",
    [
        {"body": 5},
        {"body": "***"},
        {"body": text(b"\xff")},
        {"integratedTime": "now"},
        {"integratedTime": True},
        {"logIndex": 1.5},
        {"more": 1},
    ],
)
def test_an_odd_note_does_not_count(changes: dict[str, Any]) -> None:
    made = sigstore.sign(PAYLOAD, KEY)
    with pytest.raises(BadSignature):
        check(promised(made, entry(made), **changes))


@pytest.mark.parametrize("bundle", ["{", "[]", "{}", '{"Payload": 1, "SignedEntryTimestamp": 2}'])
def test_broken_bundles_do_not_count(bundle: str) -> None:
    made = sigstore.sign(PAYLOAD, KEY)
    broken = made.replace(annotations={**made.annotations, sigstore.BUNDLE: bundle})
    with pytest.raises(BadSignature):
        check(broken)
