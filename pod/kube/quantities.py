"""Quantities of Kubernetes: "500m" of a processor, "128Mi" of memory (API reference, Quantity)."""

from __future__ import annotations

from fractions import Fraction

_SUFFIXES = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    "": Fraction(1),
    "k": Fraction(10**3),
    **{letter: Fraction(1000**n) for n, letter in enumerate("MGTPE", 2)},
    **{f"{letter}i": Fraction(1024**n) for n, letter in enumerate("KMGTPE", 1)},
}
_DIGITS = frozenset("0123456789")
_LONGEST = 30
_MOST_BYTES = 2**63
_MOST_PROCESSORS = 1_000_000


def parse(text: str) -> Fraction:
    """The number that a quantity means. Raises ValueError with what it should be."""
    wanted = "a quantity such as 500m, 128Mi or 2"
    number, suffix = text, ""
    for length in (2, 1):
        if text[-length:] in _SUFFIXES and text[-length:].isalpha():
            number, suffix = text[:-length], text[-length:]
            break
    mantissa, exponential, exponent = number.lower().partition("e")
    digits = mantissa.replace(".", "", 1)
    power = exponent.lstrip("+-")
    if not digits or len(text) > _LONGEST or set(digits) - _DIGITS:
        raise ValueError(wanted)
    if exponential and (not power or len(power) > 2 or set(power) - _DIGITS or suffix):
        raise ValueError(wanted)
    return Fraction(number) * _SUFFIXES[suffix]


def bytes_of(text: str) -> int:
    number = int(parse(text))
    if number >= _MOST_BYTES:
        raise ValueError("a quantity below 8Ei")
    return number


def microseconds_of(text: str) -> int:
    """A number of processors, as microseconds in each tenth of a second."""
    number = parse(text)
    if number > _MOST_PROCESSORS:
        raise ValueError(f"a number of processors up to {_MOST_PROCESSORS}")
    return int(number * 100_000)
