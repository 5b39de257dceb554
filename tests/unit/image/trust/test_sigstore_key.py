"""Private keys for sigstore: what opens, with which passphrase, and what is said of what does not."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from pod.image.trust import sigstore, sigstore_key
from pod.image.trust.openpgp import CannotSign
from tests.support.signing import sealed_key

# "Cryptography in NaCl", section 10: key, nonce, sealed box, and what is in it.
KEY = bytes.fromhex("1b27556473e985d462cd51197a9a46c76009549eac6474f206c4ee0844f68389")
NONCE = bytes.fromhex("69696ee955b62b73cd62bda875fc73d68219e0036b7a0b37")
BOX = bytes.fromhex(
    "f3ffc7703f9400e52a7dfb4b3d3305d98e993b9f48681273c29650ba32fc76ce48332ea7164d96a4476fb8c531a1186a"
    "c0dfc17c98dce87b4da7f011ec48c97271d2c20f9b928fe2270d6fb863d51738b48eeee314a7cc8ab932164548e526ae"
    "90224368517acfeabd6bb3732bc0e9da99832b61ca01b6de56244a9e88d5f9b37973f622a43d14a6599b1f654cb45a74"
    "e355a5"
)
CONTENT = bytes.fromhex(
    "be075fc53c81f2d5cf141316ebeb0c7b5228c52a4c62cbd44b66849b64244ffce5ecbaaf33bd751a1ac728d45e6c6129"
    "6cdc3c01233561f41db66cce314adb310e3be8250c46f06dceea3a7fa1348057e2f6556ad6b1318a024a838f21af1fde"
    "048977eb48f59ffd4924ca1c60902e52f0a089bc76897040e082f937763848645e0705"
)


def test_the_published_box_opens() -> None:
    assert sigstore_key.secretbox_open(KEY, NONCE, BOX) == CONTENT


@pytest.mark.parametrize("at", [0, 15, 16, len(BOX) - 1])
def test_a_changed_box_does_not(at: int) -> None:
    changed = bytearray(BOX)
    changed[at] ^= 1
    with pytest.raises(ValueError, match="another key"):
        sigstore_key.secretbox_open(KEY, NONCE, bytes(changed))


def written(directory: Path, key: Any, passphrase: bytes = b"", name: str = "key") -> str:
    lock = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    path = directory / name
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)
    )
    return str(path)


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(lambda: ec.generate_private_key(ec.SECP256R1()), id="P-256"),
        pytest.param(lambda: ec.generate_private_key(ec.SECP384R1()), id="P-384"),
        pytest.param(lambda: rsa.generate_private_key(65537, 2048), id="RSA"),
        pytest.param(ed25519.Ed25519PrivateKey.generate, id="Ed25519"),
    ],
)
def test_each_kind_of_key_signs(tmp_path: Path, key: Any) -> None:
    key = key()
    (tmp_path / "pass").write_text("secret\n")
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    known = sigstore.public_key("k", public)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    for path, passphrase in (
        (written(tmp_path, key), ""),
        (written(tmp_path, key, b"secret", "sealed"), str(tmp_path / "pass")),
    ):
        made = sigstore.sign(b"content", sigstore_key.load(path, passphrase))
        assert sigstore.check(made, [other, known]) is known
        with pytest.raises(sigstore.BadSignature, match="not by a key"):
            sigstore.check(made, [other])
        with pytest.raises(sigstore.BadSignature, match="not by a key"):
            sigstore.check(made.replace(payload=b"other"), [known])


def test_what_cannot_sign_is_told(tmp_path: Path) -> None:
    (tmp_path / "pass").write_text("wrong\n")
    sealed = tmp_path / "cosign.key"
    sealed.write_bytes(sealed_key(ec.generate_private_key(ec.SECP256R1()), b"right"))
    foreign = tmp_path / "foreign.key"
    document = json.dumps({"kdf": {"name": "none"}, "cipher": {"name": "none"}}).encode()
    for name, why in {
        "missing": "No such file",
        written(tmp_path, dsa.generate_private_key(1024)): "another kind",
        written(tmp_path, ed25519.Ed25519PrivateKey.generate(), b"x", "locked"): "is wrong",
        str(sealed): "the passphrase is wrong",
        str(foreign): "sealed in a way",
    }.items():
        foreign.write_bytes(armoured(document))
        with pytest.raises(CannotSign, match=why):
            sigstore_key.load(str(tmp_path / name), str(tmp_path / "pass"))


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"5", b'{"kdf": {"name": "scrypt"}}', b"\xff"])
def test_broken_keys_are_told(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "key"
    (tmp_path / "pass").write_text("any\n")
    for content in (armoured(text), text):
        path.write_bytes(content)
        with pytest.raises(CannotSign):
            sigstore_key.load(str(path), str(tmp_path / "pass"))


def armoured(document: bytes) -> bytes:
    name = b"ENCRYPTED SIGSTORE PRIVATE KEY-----\n"
    return b"-----BEGIN " + name + base64.encodebytes(document) + b"-----END " + name
