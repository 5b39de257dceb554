"""The command line with which a container or pod was made, taken apart so that it can be typed again, changed."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.cli import table
from pod.cli.declare import index_options
from pod.cli.globals import GLOBAL_OPTIONS
from pod.cli.main import load_command
from pod.spec.command_line import Replay, Typed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pod.cli.declare import Option


def take_apart(line: Sequence[str]) -> Replay:
    """The parts of a command line that pod has once taken. PodError for one that it would not take."""
    outer = index_options(GLOBAL_OPTIONS)
    program, rest, strays = _options(list(line[1:]), outer, {}, interspersed=False)
    found = table.find(rest)
    if found is None or strays:
        raise PodError(f"'{' '.join(line)}' cannot be typed again: it is no command of pod")
    name, count = found
    command = load_command(table.COMMANDS[name][0])
    options, words, more = _options(
        rest[count:], index_options(command.options), outer, interspersed=command.interspersed
    )
    return Replay(name, (*program, *more), tuple(options), tuple(words))


def _options(
    words: list[str], index: dict[str, Option], outer: dict[str, Option], *, interspersed: bool
) -> tuple[list[Typed], list[str], list[Typed]]:
    """Options, words that are none, and options of `outer`, by the grammar of pod.cli.parse."""
    found: list[Typed] = []
    strays: list[Typed] = []
    plain: list[str] = []
    rest = list(reversed(words))
    while rest:
        word = rest.pop()
        if len(word) < 2 or word[0] != "-":
            plain.append(word)
            if not interspersed:
                break
        elif word == "--":
            break
        elif word[1] == "-":
            name, equals, value = word.partition("=")
            target, option = (found, index[name]) if name in index else (strays, outer.get(name))
            if option is None:
                raise PodError(f"'{name}' is no option any more")
            taken = [word]
            if not equals and option.takes_value and rest:
                value = rest.pop()
                taken.append(value)
            target.append(Typed(_long(option), value, tuple(taken)))
        else:
            found += _cluster(word, rest, index)
    return found, plain + rest[::-1], strays


def _cluster(word: str, rest: list[str], index: dict[str, Option]) -> list[Typed]:
    """Short options in one word, each with a dash of its own."""
    found = []
    position = 1
    while position < len(word):
        name, after = f"-{word[position]}", word[position + 1 :]
        position += 1
        option = index.get(name)
        if option is None:
            raise PodError(f"'{name}' is no option any more")
        if len(after) > 1 and after[0] == "=":
            found.append(Typed(_long(option), after[1:], (f"{name}{after}",)))
        elif not option.takes_value:
            found.append(Typed(_long(option), "", (name,)))
            continue
        elif after or rest:
            value = after or rest.pop()
            found.append(Typed(_long(option), value, (name, value)))
        break
    return found


def _long(option: Option) -> str:
    return option.flags[-1].lstrip("-")
