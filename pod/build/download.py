"""What is at an http(s) address: contexts, Dockerfiles, sources of ADD."""

from __future__ import annotations

from pod.build.context_archives import CannotReadContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def downloaded(address: str) -> Iterator[bytes]:
    """What is at an http(s) address, in pieces. Raises CannotReadContext and RegistryError."""
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
        received = 0
        for chunk in response.chunks():
            received += len(chunk)
            yield chunk
        if length.isdecimal() and received < int(length):
            raise CannotReadContext(f"what is at '{address}' ended too early")
    finally:
        client.close()
