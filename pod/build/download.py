"""What is at an http(s) address: contexts, Dockerfiles, sources of ADD."""

from __future__ import annotations

import os

from pod.base.records import Record
from pod.build.context_archives import CannotReadContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Downloaded(Record):
    """A file that was fetched. `modified_seconds` is what the server says, 0 where it says nothing."""

    sha256: str
    modified_seconds: int


def download_to(fd: int, address: str) -> Downloaded:
    """Write what is at an http(s) address to `fd`. Raises CannotReadContext and RegistryError."""
    import hashlib  # heavy

    content = hashlib.sha256()
    headers: dict[str, str] = {}
    for chunk in downloaded(address, headers):
        content.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(fd, view) :]
    return Downloaded(
        sha256=content.hexdigest(), modified_seconds=_seconds(headers.get("Last-Modified", ""))
    )


def downloaded(address: str, headers: dict[str, str] | None = None) -> Iterator[bytes]:
    """What is at an http(s) address, in pieces. Raises CannotReadContext and RegistryError.

    `headers` gets Last-Modified, if there is one, before the first piece.
    """
    from pod.image.http import HttpClient, failure_of

    client = HttpClient()
    try:
        response = client.request("GET", address, {}, insecure=address.startswith("http://"))
        if response.status == 404:
            response.close()
            raise CannotReadContext(f"there is nothing at '{address}'")
        if response.status != 200:
            raise failure_of(response, address)
        length = response.header("Content-Length")
        if headers is not None:
            headers["Last-Modified"] = response.header("Last-Modified")
        received = 0
        for chunk in response.chunks():
            received += len(chunk)
            yield chunk
        if length.isdecimal() and received < int(length):
            raise CannotReadContext(f"what is at '{address}' ended too early")
    finally:
        client.close()


def _seconds(date: str) -> int:
    from email.utils import parsedate_to_datetime  # heavy

    try:
        return max(0, int(parsedate_to_datetime(date).timestamp()))
    except (ValueError, OverflowError):
        return 0
