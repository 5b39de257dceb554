"""Digests: "sha256:HEX". Checked once, where they come in; from then on they may be used as file names.

See the OCI image specification, "Digests".
"""

from __future__ import annotations

from pod.base.errors import PodError

_LENGTHS = {"sha256": 64, "sha512": 128}
_HEX = frozenset("0123456789abcdef")


class InvalidDigest(PodError):
    """Text that should be a digest and is none, or one of an algorithm that we do not know."""

    def __init__(self, text: object, why: str) -> None:
        shown = str(text)[:160]
        super().__init__(f"digest '{shown}' is not valid: {why}")


def parse_digest(text: object) -> str:
    """`text` itself, when it is a digest. Raises InvalidDigest, also for values that are no text at all."""
    if not isinstance(text, str):
        raise InvalidDigest(text, "it must be text")
    algorithm, colon, digits = text.partition(":")
    if not colon:
        raise InvalidDigest(text, "it must look like sha256:0123abcd")
    length = _LENGTHS.get(algorithm)
    if length is None:
        raise InvalidDigest(text, f"'{algorithm[:32]}' is not one of {', '.join(_LENGTHS)}")
    if len(digits) != length or not _HEX.issuperset(digits):
        raise InvalidDigest(text, f"{algorithm} has {length} lower-case hexadecimal digits")
    return text


def is_digest(text: str) -> bool:
    """Whether `parse_digest` would accept it."""
    algorithm, _, digits = text.partition(":")
    return len(digits) == _LENGTHS.get(algorithm) and _HEX.issuperset(digits)


def algorithm_of(digest: str) -> str:
    """ "sha256" or "sha512"."""
    return digest.partition(":")[0]


def hex_of(digest: str) -> str:
    """The hexadecimal digits alone."""
    return digest.partition(":")[2]
