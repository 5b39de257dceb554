"""pod called as `docker-compose`, by a link of that name: the words are those of `pod compose`, in old spellings, too.

Source: docker-compose(1) of the versions 1.29 and 2.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pod.cli.declare import Option

_NAMES = ("docker-compose", "podman-compose")
_OLD = {"--no-ansi": "--ansi=never", "--verbose": "--log-level=debug"}


def is_called(program: str) -> bool:
    """Whether pod was called by such a name."""
    return program.rpartition("/")[2] in _NAMES


def words(argv: list[str]) -> list[str]:
    """What `pod` would be told for the words behind `docker-compose`. Options of pod itself may stand among them."""
    from pod.cli.globals import GLOBAL_OPTIONS
    from pod.cli.options.compose import OPTIONS

    outer: list[str] = []
    group: list[str] = []
    left = list(argv)
    while left and left[0].startswith("-") and left[0] not in {"-", "--"}:
        word = left.pop(0)
        if word in {"-v", "--version"}:
            return ["compose", "version"]
        word = _OLD.get(word, word)
        flag = word.partition("=")[0]
        is_group, is_outer = _find(OPTIONS, flag), _find(GLOBAL_OPTIONS, flag)
        target = outer if is_outer and not is_group else group
        target.append(word)
        option = is_group or is_outer
        if option is not None and option.kind != "flag" and "=" not in word and left:
            target.append(left.pop(0))
    if left[:1] == ["help"]:
        left = [*left[1:], "--help"]
    return [*outer, "compose", *group, *left]


def _find(options: Iterable[Option], flag: str) -> Option | None:
    return next((option for option in options if flag in option.flags), None)
