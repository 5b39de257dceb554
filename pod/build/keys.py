"""Keys of the cache: what the result of a step depends on, as a digest. The rules are those of BuildKit.

A key is made of named inputs, each a digest or a short text, so that it can be said which of them has changed. What
only changes the configuration (LABEL, CMD, EXPOSE) is in no key; the environment, user and directory that a RUN gets
are in that of the RUN. Contents of secrets never are.
"""

from __future__ import annotations

from storage.blobs import digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_VERSION = "1"  # another one, and whatever is in caches is not found


def digest(text: str) -> str:
    """64 hexadecimal digits."""
    return digest_of_bytes(text.encode("utf-8", "surrogateescape"))


def digest_of_all(texts: Iterable[str]) -> str:
    """Of several texts, in whatever order they come."""
    return digest("\0".join(sorted(texts)))


def digest_of_bytes(data: bytes) -> str:
    """64 hexadecimal digits."""
    return digest_of(data).partition(":")[2]


def of(kind: str, inputs: Mapping[str, str]) -> str:
    """The key of a step of this kind."""
    lines = [f"{_VERSION} {kind}"]
    lines += [f"{name}\0{value}" for name, value in sorted(inputs.items())]
    return digest("\n".join(lines))
