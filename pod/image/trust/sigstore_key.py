"""Private keys to sign with in the way of sigstore: PKCS 8 in PEM, and cosign's own form with a passphrase.

cosign's is PEM around JSON: scrypt makes a key of the passphrase, and NaCl's secretbox (XSalsa20 and Poly1305) seals
the PKCS 8 document. `cryptography` has no XSalsa20, so it is here; a key is a few hundred bytes.

Source: sigstore/cosign, "ENCRYPTED SIGSTORE PRIVATE KEY"; "Cryptography in NaCl", section 10; Salsa20 specification;
"Extending the Salsa20 nonce" for HSalsa20.
"""

from __future__ import annotations

import base64
import binascii
import json

from pod.base.errors import PodError
from pod.image.trust.openpgp import CannotSign, read_passphrase
from pod.image.trust.sigstore import require_cryptography

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SEALED = ("ENCRYPTED SIGSTORE PRIVATE KEY", "ENCRYPTED COSIGN PRIVATE KEY")
_SIGMA = (0x61707865, 0x3320646E, 0x79622D32, 0x6B206574)  # "expand 32-byte k"
_WORD = 0xFFFFFFFF
_MOST_WORK = 1 << 20
_MAX_BYTES = 1 << 20
_ROWS = (
    *((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11)),  # columns
    *((0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14)),  # rows
)


def load(path: str, passphrase_file: str = "") -> Any:
    """The private key in the file `path`: ECDSA, RSA or Ed25519. Raises CannotSign, NoCryptography."""
    try:
        with open(path, "rb") as file:
            pem = file.read(_MAX_BYTES)
    except OSError as error:
        raise CannotSign(path, error.strerror or "it cannot be read", None) from error
    require_cryptography()
    from cryptography.hazmat.primitives import serialization  # heavy
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    passphrase = read_passphrase(passphrase_file) if passphrase_file else None
    try:
        if any(f"-----BEGIN {name}-----".encode() in pem for name in _SEALED):
            document = _open_sealed(path, pem, _asked(path) if passphrase is None else passphrase)
            key = serialization.load_der_private_key(document, None)
        else:
            if passphrase is None and b"ENCRYPTED" in pem:
                passphrase = _asked(path)
            is_sealed = b"ENCRYPTED" in pem
            key = serialization.load_pem_private_key(pem, passphrase if is_sealed else None)
    except (ValueError, TypeError) as error:
        why = "it is no private key in PEM, or the passphrase is wrong"
        raise CannotSign(path, why, None) from error
    if not isinstance(
        key, (ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey, rsa.RSAPrivateKey)
    ):
        raise CannotSign(path, "it is of another kind than ECDSA, RSA and Ed25519", None)
    return key


def secretbox_open(key: bytes, nonce: bytes, sealed: bytes) -> bytes:
    """What NaCl's secretbox has sealed. Raises ValueError when the key is wrong or the box was changed."""
    from cryptography.exceptions import InvalidSignature  # heavy
    from cryptography.hazmat.primitives.poly1305 import Poly1305

    tag, hidden = sealed[:16], sealed[16:]
    stream = _xsalsa20(key, nonce, 32 + len(hidden))
    try:
        Poly1305.verify_tag(stream[:32], hidden, tag)
    except InvalidSignature as error:
        raise ValueError("the box was sealed with another key") from error
    return bytes(a ^ b for a, b in zip(hidden, stream[32:], strict=True))


def _open_sealed(path: str, pem: bytes, passphrase: bytes) -> bytes:
    """The PKCS 8 document in cosign's form."""
    import hashlib  # heavy

    try:
        body = pem.split(b"-----")[2]
        document = json.loads(base64.b64decode(b"".join(body.split()), validate=True))
        kdf, cipher = document["kdf"], document["cipher"]
        if (kdf["name"], cipher["name"]) != ("scrypt", "nacl/secretbox"):
            raise CannotSign(path, "it is sealed in a way that pod does not know", None)
        n, r, p = (kdf["params"][name] for name in ("N", "r", "p"))
        salt, nonce, sealed = (
            base64.b64decode(text, validate=True)
            for text in (kdf["salt"], cipher["nonce"], document["ciphertext"])
        )
        if n * r > _MOST_WORK or p > 16 or len(nonce) != 24:
            raise CannotSign(path, "it is sealed in a way that pod does not know", None)
        memory = 128 * n * r + (16 << 20)
        key = hashlib.scrypt(passphrase, salt=salt, n=n, r=r, p=p, maxmem=memory, dklen=32)
    except (LookupError, TypeError, ValueError, binascii.Error) as error:
        raise CannotSign(path, "it is no valid key of cosign", None) from error
    try:
        return secretbox_open(key, nonce, sealed)
    except ValueError as error:
        raise CannotSign(path, "the passphrase is wrong", "--sign-passphrase-file FILE") from error


def _asked(path: str) -> bytes:
    """The passphrase, from the person at the terminal. Raises PodError when there is none."""
    import getpass  # heavy
    import os
    import sys

    if not os.isatty(sys.stdin.fileno()):
        raise PodError(
            f"the key '{path}' needs a passphrase, and there is no terminal to ask for it",
            hint="--sign-passphrase-file FILE",
        )
    return getpass.getpass(f"Passphrase of '{path}': ").encode()


def _xsalsa20(key: bytes, nonce: bytes, count: int) -> bytes:
    """The first `count` bytes of the stream."""
    words = _double_rounds(_state(key, nonce[:16]))
    inner = b"".join(words[at].to_bytes(4, "little") for at in (0, 5, 10, 15, 6, 7, 8, 9))
    stream = b""
    block = 0
    while len(stream) < count:
        state = _state(inner, nonce[16:] + block.to_bytes(8, "little"))
        mixed = _double_rounds(state)
        stream += b"".join(
            ((a + b) & _WORD).to_bytes(4, "little") for a, b in zip(mixed, state, strict=True)
        )
        block += 1
    return stream[:count]


def _state(key: bytes, given: bytes) -> list[int]:
    k = [int.from_bytes(key[at : at + 4], "little") for at in range(0, 32, 4)]
    n = [int.from_bytes(given[at : at + 4], "little") for at in range(0, 16, 4)]
    return [_SIGMA[0], *k[:4], _SIGMA[1], *n, _SIGMA[2], *k[4:], _SIGMA[3]]


def _double_rounds(state: list[int]) -> list[int]:
    x = list(state)
    for _ in range(10):
        for a, b, c, d in _ROWS:
            x[b] ^= _rotated(x[a] + x[d], 7)
            x[c] ^= _rotated(x[b] + x[a], 9)
            x[d] ^= _rotated(x[c] + x[b], 13)
            x[a] ^= _rotated(x[d] + x[c], 18)
    return x


def _rotated(value: int, count: int) -> int:
    value &= _WORD
    return (value << count | value >> (32 - count)) & _WORD
