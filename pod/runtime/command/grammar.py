"""The command line: global options, the name of a command, its options, its words. As crun(1) and runc(8) have it.

Long options take `--name=value` or `--name value`, short ones `-x value`; `--` ends them. The grammar of `pod` itself
(cli/parse.py) is of a higher layer, and richer than programs that call a runtime need.
"""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Flag(Record):
    """One option. `value` names what it takes, "" for none; `many` collects all values; `short` is one letter."""

    name: str
    summary: str
    value: str = ""
    short: str = ""
    many: bool = False


class Given:
    """The options of a command line and the words after them."""

    def __init__(self, values: Mapping[str, list[str]], words: list[str]) -> None:
        self._values = values
        self.words = words

    def has(self, name: str) -> bool:
        """Whether a flag without a value was given, and not as `--name=false`."""
        return self._values.get(name, ["false"])[-1] != "false"

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, [default])[-1]

    def texts(self, name: str) -> list[str]:
        return self._values.get(name, [])

    def number(self, name: str) -> int | None:
        """A whole number; None when the option was not given. Raises UsageError."""
        text = self.text(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise UsageError(f"--{name} '{text}' is not a number") from None


def parse(words: list[str], flags: Iterable[Flag], *, stop_at_word: bool) -> Given:
    """Read options. With `stop_at_word` the first word that is none ends them (before a command to run)."""
    known = {f"--{flag.name}": flag for flag in flags}
    known |= {f"-{flag.short}": flag for flag in flags if flag.short}
    values: dict[str, list[str]] = {}
    rest: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if word == "--":
            rest += words[position:]
            break
        if not word.startswith("-") or word == "-":
            if stop_at_word:
                rest += [word, *words[position:]]
                break
            rest.append(word)
            continue
        name, equals, value = word.partition("=")
        flag = known.get(name)
        if flag is None:
            raise UsageError(f"unknown option '{name}'")
        if not flag.value:
            if equals and value not in {"true", "false"}:
                raise UsageError(f"option '{name}' takes no value")
            values.setdefault(flag.name, []).append(value or "true")
            continue
        if not equals:
            if position == len(words):
                raise UsageError(f"option '{name}' needs {flag.value}")
            value = words[position]
            position += 1
        values.setdefault(flag.name, []).append(value)
    return Given(values, rest)


def usage(program: str, flags: Iterable[Flag]) -> str:
    """The help text of a command, or of the program."""
    lines = [f"usage: {program}", ""]
    for flag in flags:
        names = f"-{flag.short}, --{flag.name}" if flag.short else f"    --{flag.name}"
        value = f" {flag.value}" if flag.value else ""
        lines.append(f"  {names + value:34} {flag.summary}")
    return "\n".join(lines) + "\n"
