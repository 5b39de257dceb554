"""What is at an http(s) address: contexts, Dockerfiles, sources of ADD."""

from __future__ import annotations

import os

from pod.base.records import Record
from pod.build import credentials
from pod.build.context_archives import CannotReadContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pod.build.options import SecretSource


class Downloaded(Record):
    """A file that was fetched. `modified_seconds` is what the server says, 0 where it says nothing."""

    sha256: str
    modified_seconds: int


def download_to(fd: int, address: str, secrets: Iterable[SecretSource] = ()) -> Downloaded:
    """Write what is at an http(s) address to `fd`. Raises CannotReadContext and RegistryError."""
    import hashlib  # heavy

    content = hashlib.sha256()
    headers: dict[str, str] = {}
    for chunk in downloaded(address, headers, secrets):
        content.update(chunk)
        view = memoryview(chunk)
        while view:
            view = view[os.write(fd, view) :]
    return Downloaded(
        sha256=content.hexdigest(), modified_seconds=_seconds(headers.get("Last-Modified", ""))
    )


def downloaded(
    address: str,
    headers: dict[str, str] | None = None,
    secrets: Iterable[SecretSource] = (),
) -> Iterator[bytes]:
    """What is at an http(s) address, in pieces. Raises CannotReadContext and RegistryError.

    `headers` gets Last-Modified, if there is one, before the first piece. `secrets` may have some that log in
    (credentials.py).
    """
    from urllib.parse import urlsplit  # heavy

    from pod.image.failures import RegistryError
    from pod.image.http import HttpClient, failure_of

    client = HttpClient()
    asked: dict[str, str] = {}
    try:
        authority = urlsplit(address).netloc.rpartition("@")[2]
    except ValueError as error:
        raise CannotReadContext(f"the address '{address}' is not valid: {error}") from error
    if login := credentials.for_http(secrets, authority):
        asked["Authorization"] = login
    try:
        response = client.request("GET", address, asked, insecure=address.startswith("http://"))
        if response.status == 404:
            response.close()
            raise CannotReadContext(f"there is nothing at '{address}'")
        if response.status in {401, 403}:
            response.close()
            raise CannotReadContext(
                f"the server refuses '{address}' with status {response.status}",
                hint=f"pod build --secret id=HTTP_AUTH_TOKEN_{authority},src=FILE",
            )
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
    except RegistryError as error:
        # It is a server like any other that was asked.
        message = error.message.replace("registry '", "server '", 1)
        raise CannotReadContext(message, hint=error.hint) from error
    finally:
        client.close()


def _seconds(date: str) -> int:
    from email.utils import parsedate_to_datetime  # heavy

    try:
        return max(0, int(parsedate_to_datetime(date).timestamp()))
    except (ValueError, OverflowError):
        return 0
