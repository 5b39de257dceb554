"""Signing what is pushed: with GPG into a lookaside, with a sigstore key into the registry itself.

All that can be wrong with keys and places is found before the first byte is sent, so that no image is pushed that
cannot be signed then.
"""

from __future__ import annotations

import time

from pod.base.errors import PodError, Unsupported, UsageError
from pod.base.records import Record
from pod.image.trust import lookaside, openpgp, payload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.image.push import Destination
    from pod.image.trust.lookaside import SignaturePlaces
    from pod.spec.reference import Reference


_MAX_PARAMETERS = 1 << 20


class Signing(Record):
    """With which keys: a key of the caller's gpg, and the file of a sigstore key; "" for without."""

    gpg_key: str = ""
    sigstore_key: str = ""
    passphrase_file: str = ""

    def check(self) -> None:
        """Raise UsageError for a passphrase that has no key, or two."""
        if self.passphrase_file and bool(self.gpg_key) == bool(self.sigstore_key):
            raise UsageError(
                "--sign-passphrase-file needs exactly one of --sign-by and --sign-by-sigstore-private-key"
            )


def read_parameters(path: str) -> Signing:
    """The keys in a file of parameters, containers-sigstore-signing-params.yaml(5). Raises PodError, Unsupported.

    Of what it may say, pod has the private key and its passphrase.
    """
    from pod.spec import yaml_text

    try:
        with open(path, "rb") as file:
            document = yaml_text.parse(file.read(_MAX_PARAMETERS))
    except OSError as error:
        raise PodError(
            f"the file '{path}' of --sign-by-sigstore cannot be read: {error.strerror}"
        ) from error
    except ValueError as error:
        raise PodError(f"'{path}' is not valid YAML: {error}") from error
    if not isinstance(document, dict):
        raise PodError(f"'{path}' must have keys and values")
    for name, what in (("fulcio", "certificates of Fulcio"), ("rekorURL", "transparency logs")):
        if name in document:
            raise Unsupported(f"'{name}' in '{path}'", f"pod signs without {what}")
    names = ("privateKeyFile", "privateKeyPassphraseFile")
    values = [document.get(name, "") for name in names]
    if not values[0] or not all(isinstance(value, str) for value in values):
        raise PodError(f"'{path}' must name the private key: privateKeyFile")
    if unknown := document.keys() - set(names):
        raise PodError(f"'{path}' has the unknown key '{min(map(str, unknown))}'")
    return Signing(sigstore_key=values[0], passphrase_file=values[1])


class Signer:
    """Keys that are ready to sign images pushed as `reference`."""

    def __init__(self, signing: Signing, reference: Reference, places: SignaturePlaces) -> None:
        """Raises UsageError, CannotSign, BadLookaside, NoGpg, NoCryptography."""
        signing.check()
        self._signing = signing
        self._reference = reference
        self._sigstore_key: Any = None
        self._url = places.writing(str(reference))
        if signing.gpg_key:
            lookaside.check_writable(self._url)
            openpgp.check_secret_key(signing.gpg_key)
            openpgp.sign(b"", signing.gpg_key, signing.passphrase_file)  # is the passphrase right?
        if signing.sigstore_key:
            if not places.has_attachments(str(reference)):
                raise PodError(
                    f"signatures by sigstore keys may not be written beside '{reference}': "
                    "registries.d has no 'use-sigstore-attachments: true' for it",
                    hint="see pod-configuration(5)",
                )
            from pod.image.trust import sigstore_key

            self._sigstore_key = sigstore_key.load(signing.sigstore_key, signing.passphrase_file)

    def sign(self, destination: Destination, digest: str) -> None:
        """Sign the manifest that has been pushed there. Raises CannotSign, BadLookaside, RegistryError."""
        claim = payload.Claim(digest, str(self._reference))
        if self._signing.gpg_key:
            made = gpg_signature(claim, self._signing.gpg_key, self._signing.passphrase_file)
            lookaside.write(self._url, destination.endpoint.repository, digest, made)
        if self._sigstore_key is not None:
            from pod.image.trust import attachments, sigstore

            content = payload.make(claim, payload.COSIGN, moment=int(time.time()))
            attachments.add(destination, digest, sigstore.sign(content, self._sigstore_key))


def gpg_signature(claim: payload.Claim, key: str, passphrase_file: str = "") -> bytes:
    """A signed claim. Raises CannotSign, NoGpg."""
    content = payload.make(claim, payload.SIMPLE, moment=int(time.time()))
    return openpgp.sign(content, key, passphrase_file)
