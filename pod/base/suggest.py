"""Which word was meant. Imported only when one was not understood."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# Of difflib's 0 to 1: "ROM" means FROM, "imagse" images. Below it, words are named at random.
_CUTOFF = 0.7
_SHORT = 3  # letters, of which a wrong one makes too much for that


def closest(typed: str, known: Iterable[str]) -> list[str]:
    """Up to three of `known` that `typed` may stand for, the nearest first."""
    from difflib import get_close_matches  # heavy

    by_lower = {word.lower(): word for word in known}
    lower = typed.lower()
    matches = get_close_matches(lower, by_lower, n=3, cutoff=_CUTOFF)
    if len(lower) == _SHORT:  # "RNU" means RUN
        matches += [it for it in by_lower if it not in matches and sorted(it) == sorted(lower)]
    return [by_lower[match] for match in matches]


def did_you_mean(typed: str, known: Iterable[str]) -> str:
    """The end of a sentence that complains about `typed`: ", did you mean 'ps'?", or nothing."""
    matches = closest(typed, known)
    return f", did you mean '{matches[0]}'?" if matches else ""
