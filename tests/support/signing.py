"""Keys to sign images with in tests, and what they sign: a home of GnuPG, key pairs for sigstore, payloads."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from typing import Any

from pod.image.trust import sigstore_key

SIMPLE = "atomic container signature"
COSIGN = "cosign container image signature"


class Gpg:
    """A GNUPGHOME in `home`, with the keys `good` and `other`, and `expired`, which was valid in 2020.

    `locked` has the passphrase "secret".

    Its agent starts when something is signed; `close` ends it.
    """

    def __init__(self, home: str) -> None:
        self.home = home
        os.makedirs(home, mode=0o700)
        self.fingerprints = {
            "good": self._make("good", "never"),
            "other": self._make("other", "never"),
            "locked": self._make("locked", "never", "--pinentry-mode", "loopback", secret="secret"),
            "expired": self._make("expired", "2d", "--faked-system-time", "20200101T000000"),
        }
        self.close()

    @property
    def environment(self) -> dict[str, str]:
        return {"GNUPGHOME": self.home}

    def close(self) -> None:
        for what in ("--kill=all", "--remove-socketdir"):
            option, _, value = what.partition("=")
            subprocess.run(["gpgconf", "--homedir", self.home, option, *filter(None, [value])])

    def export(self, path: str, *names: str) -> str:
        """Write the public keys of these names to a file, and return its path."""
        wanted = [self.fingerprints[name] for name in names]
        with open(path, "wb") as file:
            file.write(self.run("--armor", "--export", *wanted))
        return path

    def sign(self, payload: bytes, name: str = "good") -> bytes:
        """A signed message, as by `gpg --sign`."""
        early = ["--faked-system-time", "20200101T120000"] if name == "expired" else []
        key = self.fingerprints[name]
        return self.run(*early, "--local-user", key, "--output", "-", "--sign", given=payload)

    def run(self, *arguments: str, given: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", self.home, "--batch", "--yes", "--quiet", *arguments]
        done = subprocess.run(command, input=given, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def _make(self, name: str, expires: str, *options: str, secret: str = "") -> str:
        who = f"{name} <{name}@pod.test>"
        kind = ["--quick-generate-key", who, "ed25519", "sign", expires]
        self.run(*options, "--passphrase", secret, *kind)
        listed = self.run("--with-colons", "--list-keys", who).decode().splitlines()
        return next(line.split(":")[9] for line in listed if line.startswith("fpr:"))


def payload(digest: str, name: str, kind: str = SIMPLE, **others: Any) -> bytes:
    """What a signature of the image with this manifest and name is over."""
    critical = {
        "type": kind,
        "image": {"docker-manifest-digest": digest},
        "identity": {"docker-reference": name},
    }
    return json.dumps({"critical": critical, "optional": {}, **others}).encode()


def signed_by(path: str, **fields: Any) -> dict[str, Any]:
    """A requirement for a GPG signature by a key in the file `path`."""
    return {"type": "signedBy", "keyType": "GPGKeys", "keyPath": path, **fields}


def file_signature(lookaside: str, repository: str, digest: str, *signatures: bytes) -> None:
    """Put signatures where a lookaside has them."""
    directory = f"{lookaside}/{repository}@{digest.replace(':', '=')}"
    os.makedirs(directory, exist_ok=True)
    for number, signature in enumerate(signatures, 1):
        with open(f"{directory}/signature-{number}", "wb") as file:
            file.write(signature)


def write_policy(settings: str, requirements: Any, **transports: Mapping[str, Any]) -> None:
    """policy.json in the directory `settings`, with these requirements for all registries; all else may come in."""
    accept = [{"type": "insecureAcceptAnything"}]
    policy = {"default": accept, "transports": {"docker": {"": requirements}, **transports}}
    with open(f"{settings}/policy.json", "w") as file:
        json.dump(policy, file)


def write_places(settings: str, lookaside: str, *, attachments: bool = False) -> None:
    """A file of registries.d in the directory `settings`."""
    os.makedirs(f"{settings}/registries.d", exist_ok=True)
    place = {"lookaside": lookaside, "use-sigstore-attachments": attachments}
    with open(f"{settings}/registries.d/default.yaml", "w") as file:
        json.dump({"default-docker": place}, file)  # JSON is YAML


def sealed_key(key: Any, passphrase: bytes) -> bytes:
    """A private key in the form of cosign. skopeo reads it, too, so it is not only pod that agrees with itself."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.poly1305 import Poly1305

    document = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    salt, nonce = os.urandom(32), os.urandom(24)
    sealing = hashlib.scrypt(passphrase, salt=salt, n=32768, r=8, p=1, maxmem=64 << 20, dklen=32)
    stream = sigstore_key._xsalsa20(sealing, nonce, 32 + len(document))
    hidden = bytes(a ^ b for a, b in zip(document, stream[32:], strict=True))
    box = Poly1305.generate_tag(stream[:32], hidden) + hidden
    sealed = {
        "kdf": {
            "name": "scrypt",
            "params": {"N": 32768, "r": 8, "p": 1},
            "salt": base64.b64encode(salt).decode(),
        },
        "cipher": {"name": "nacl/secretbox", "nonce": base64.b64encode(nonce).decode()},
        "ciphertext": base64.b64encode(box).decode(),
    }
    name = b"ENCRYPTED COSIGN PRIVATE KEY-----\n"
    body = base64.encodebytes(json.dumps(sealed).encode())
    return b"-----BEGIN " + name + body + b"-----END " + name


def sigstore_pair(directory: str, passphrase: bytes = b"secret") -> tuple[str, str]:
    """A new key pair: the file with the private key in the form of cosign, and the one with the public key."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    paths = f"{directory}/cosign.key", f"{directory}/cosign.pub"
    for path, content in zip(paths, (sealed_key(key, passphrase), public), strict=True):
        with open(path, "wb") as file:
            file.write(content)
    return paths
