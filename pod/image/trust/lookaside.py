"""Where signatures are: beside the registry, in a directory or on a web server, as registries.d says.

    LOOKASIDE/REPOSITORY@sha256=HEX/signature-1, signature-2, ...      the repository without its registry

Source: containers-registries.d(5), and "Docker/OCI image signature lookaside" in signature-protocols.md of
containers/image. The files are read by `pod.engine.configuration_signatures`.
"""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.base.records import Record
from pod.image.policy import scopes_of
from pod.image.trust.payload import MAX_BYTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from pod.image.http import HttpClient

MAX_SIGNATURES = 128
MAX_ALL_BYTES = 16 << 20
"""Of all signatures of an image, which are in memory at once."""


class SignaturePlace(Record):
    """What registries.d says of a namespace: URLs to read from and to write to, "" and None where it says nothing."""

    lookaside: str = ""
    staging: str = ""
    attachments: bool | None = None


class SignaturePlaces(Record):
    """All of registries.d. `fallback` is a directory, which holds where nothing is said."""

    default: SignaturePlace = SignaturePlace()
    namespaces: Mapping[str, SignaturePlace] = {}
    fallback: str = ""
    nested: ClassVar = {"default": SignaturePlace}

    def reading(self, name: str) -> str:
        """The URL of the lookaside for the full reference `name`, to read from."""
        return next((one.lookaside for one in self._covering(name) if one.lookaside), self._last())

    def writing(self, name: str) -> str:
        """The same to write to."""
        urls = (one.staging or one.lookaside for one in self._covering(name))
        return next((url for url in urls if url), self._last())

    def says_where(self, name: str) -> bool:
        """Whether registries.d has a lookaside for `name`."""
        return any(one.lookaside for one in self._covering(name))

    def has_attachments(self, name: str) -> bool:
        """Whether sigstore signatures are looked for in the registry itself, and written there."""
        said = (one.attachments for one in self._covering(name) if one.attachments is not None)
        return next(said, False)

    def _covering(self, name: str) -> list[SignaturePlace]:
        scopes = scopes_of("docker", name)[:-1]
        found = [self.namespaces[scope] for scope in scopes if scope in self.namespaces]
        return [*found, self.default]

    def _last(self) -> str:
        return f"file://{self.fallback}" if self.fallback else ""


class BadLookaside(PodError):
    """Signatures cannot be read or written there."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"signatures at '{url}' cannot be used: {why}", hint="see registries.d")


def read(
    url: str, repository: str, digest: str, http: HttpClient, *, insecure: bool
) -> list[bytes]:
    """The signatures of a manifest, at most MAX_SIGNATURES. Raises BadLookaside, RegistryError."""
    if not url:
        return []
    found: list[bytes] = []
    directory = _directory(url)
    base = f"{directory if directory is not None else url.rstrip('/')}/{_below(repository, digest)}"
    for number in range(1, MAX_SIGNATURES + 1):
        one = (
            _read_file(f"{base}/signature-{number}")
            if directory is not None
            else _fetch(http, f"{base}/signature-{number}", insecure=insecure)
        )
        if one is None:
            break
        if len(one) > MAX_BYTES:
            raise BadLookaside(f"{base}/signature-{number}", f"it has more than {MAX_BYTES} bytes")
        found.append(one)
        if sum(map(len, found)) > MAX_ALL_BYTES:
            raise BadLookaside(base, f"they have more than {MAX_ALL_BYTES} bytes")
    return found


def write(url: str, repository: str, digest: str, signature: bytes) -> str:
    """Add a signature to those of a manifest, and return the path of its file. Raises BadLookaside.

    One that is there already, byte for byte, is not written again.
    """
    return write_below(check_writable(url), repository, digest, signature)


def check_writable(url: str) -> str:
    """The directory of a lookaside that is written to. Raises BadLookaside."""
    directory = _directory(url)
    if directory is None:
        raise BadLookaside(url, "signatures can only be written to a directory, file:///PATH")
    return directory


def write_below(directory: str, repository: str, digest: str, signature: bytes) -> str:
    """The same for a directory."""
    target = f"{directory}/{_below(repository, digest)}"
    try:
        os.makedirs(target, mode=0o755, exist_ok=True)
        for number in range(1, MAX_SIGNATURES + 1):
            path = f"{target}/signature-{number}"
            try:
                fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            except FileExistsError:
                if _read_file(path) == signature:
                    return path
                continue
            with open(fd, "wb") as file:
                file.write(signature)
            return path
    except OSError as error:
        raise BadLookaside(target, f"it cannot be written: {error.strerror}") from error
    raise BadLookaside(target, f"it has {MAX_SIGNATURES} signatures already")


def _below(repository: str, digest: str) -> str:
    return f"{repository}@{digest.replace(':', '=')}"


def _directory(url: str) -> str | None:
    """The directory of a file URL; None for a web server. Raises BadLookaside for other schemes."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme == "file" and rest.startswith("/"):
        from urllib.parse import unquote  # heavy

        return unquote(rest).rstrip("/")
    if separator and scheme in ("http", "https") and rest:
        return None
    raise BadLookaside(url, "it must be a URL such as https://HOST/PATH or file:///PATH")


def _read_file(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadLookaside(path, f"it cannot be read: {error.strerror}") from error


def _fetch(http: HttpClient, url: str, *, insecure: bool) -> bytes | None:
    response = http.request("GET", url, {}, insecure=insecure)
    if response.status == 200:
        return response.read(MAX_BYTES)
    status = response.status
    response.close()
    if status == 404:
        return None
    raise BadLookaside(url, f"the server answers with status {status}")
