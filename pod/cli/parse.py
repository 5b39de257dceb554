"""Words of a command line -> `Arguments`, by the grammar of Go's pflag, which docker and podman have taught everybody.

The rules, and where they differ from getopt's:
- `--name value`, `--name=value`, `-n value`, `-nvalue`, `-n=value`; a flag takes a value only behind "=";
- `-itd` is `-i -t -d`; `-it=false` is `-i -t=false`; the last of a cluster may take a value: `-itp8080:80`;
- `--` ends the options; "-" and "" are words; long names are never abbreviated;
- options of the program itself (`--root`, `--log-level`) may also follow the command.
"""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Arguments, index_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

    from pod.cli.declare import Command, Option, Value

_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


class HelpRequested(Exception):
    """`--help` was met where an option can stand. Not an error: whoever parses shows the help instead."""


class UnknownOption(UsageError):
    """The command has no such option."""


def parse_command(
    command: Command, words: Sequence[str], spelling: str, outer: Arguments | None = None
) -> Arguments:
    """What `words` say to `command`, which was typed as `spelling` ("pod volume ls").

    Long options that the command does not have are looked for in `outer`, the program's own arguments, and set there.
    Raises HelpRequested, UsageError, Unsupported.
    """
    arguments = parse_options(
        command.options, words, spelling, interspersed=command.interspersed, outer=outer
    )
    _check_count(command, arguments)
    return arguments


def parse_options(
    options: tuple[Option, ...],
    words: Sequence[str],
    spelling: str,
    *,
    interspersed: bool,
    outer: Arguments | None = None,
) -> Arguments:
    """The same without counting the words that are no options."""
    arguments = Arguments(spelling, index_options(options))
    rest = list(words)
    rest.reverse()  # a stack: pop() takes the next word
    while rest:
        word = rest.pop()
        if len(word) < 2 or word[0] != "-":
            arguments.words.append(word)
            if not interspersed:
                break
        elif word == "--":
            break
        elif word[1] == "-":
            _long(arguments, outer, word, rest)
        else:
            _short(arguments, word, rest)
    rest.reverse()
    arguments.words += rest
    return arguments


def _long(arguments: Arguments, outer: Arguments | None, word: str, rest: list[str]) -> None:
    name, equals, value = word.partition("=")
    option = arguments.option_for(name)
    if option is None:
        if name == "--help":
            raise HelpRequested
        if outer is not None and (option := outer.option_for(name)) and name != "--version":
            arguments = outer
        else:
            _refuse_unknown(arguments, outer, word)
    if equals:
        _set(arguments, option, name, value)
    elif not option.takes_value:
        _set(arguments, option, name, "true" if option.kind == "flag" else option.no_value)
    elif rest:
        _set(arguments, option, name, rest.pop())
    else:
        raise _wrong(arguments, f"flag needs an argument: {name}")


def _short(arguments: Arguments, word: str, rest: list[str]) -> None:
    """One word such as -i, -itd, -p8080:80, -p=8080:80."""
    position = 1
    while position < len(word):
        name, after = "-" + word[position], word[position + 1 :]
        position += 1
        option = arguments.option_for(name)
        if option is None:
            if name == "-h":
                raise HelpRequested
            if _looks_long(arguments, word):
                message = f"unknown shorthand flag: '{name[1]}' in {word}, did you mean '-{word}'?"
            else:
                message = f"unknown shorthand flag: '{name[1]}' in {word}"
            raise _wrong(arguments, message, UnknownOption)
        if len(after) > 1 and after[0] == "=":
            _set(arguments, option, name, after[1:])
        elif not option.takes_value:
            _set(arguments, option, name, "true" if option.kind == "flag" else option.no_value)
            continue
        elif after:
            _set(arguments, option, name, after)
        elif rest:
            _set(arguments, option, name, rest.pop())
        else:
            raise _wrong(arguments, f"flag needs an argument: '{name[1]}' in {word}")
        return


def _looks_long(arguments: Arguments, word: str) -> bool:
    """Whether `word` ("-publish") is a long option that lacks a dash."""
    return len(word) > 2 and arguments.option_for("-" + word.partition("=")[0]) is not None


def _set(arguments: Arguments, option: Option, name: str, typed: str) -> None:
    kind = option.kind
    if not typed and option.empty_is_none:
        arguments.forget(option)
        return
    value: Value = typed
    if kind == "flag":
        value = _boolean(arguments, name, typed)
    elif kind == "number":
        value = _number(arguments, option, name, typed)
    elif kind == "list":
        _check_choice(arguments, option, name, typed)
        value = _before(arguments, option)
        value.append(typed)
    elif kind == "comma":
        parts = split_commas(typed)
        if parts is None:
            raise _invalid(arguments, name, typed, "a quote is not closed or not escaped")
        for part in parts:
            _check_choice(arguments, option, name, part)
        value = _before(arguments, option) + parts
    else:
        _check_choice(arguments, option, name, typed)
    if option.refused and value is not False:
        from pod.base.errors import Unsupported

        raise Unsupported(f"flag '{name}'", option.refused)
    arguments.set(option, value)


def _before(arguments: Arguments, option: Option) -> list[str]:
    value = arguments.value(option)
    return value if isinstance(value, list) else []


def _boolean(arguments: Arguments, name: str, typed: str) -> bool:
    if typed in _TRUE:
        return True
    if typed in _FALSE:
        return False
    raise _invalid(arguments, name, typed, "true or false is expected")


def _number(arguments: Arguments, option: Option, name: str, typed: str) -> int:
    number = parse_number(typed)
    if number is None:
        raise _invalid(arguments, name, typed, "an integer is expected")
    if option.lowest is not None and number < option.lowest:
        raise _invalid(arguments, name, typed, f"the lowest number allowed is {option.lowest}")
    return number


def parse_number(typed: str) -> int | None:
    """A 64-bit integer in the spellings of Go's strconv.ParseInt with base 0; nothing when it is none."""
    digits = typed[1:] if typed[:1] in ("+", "-") else typed
    if not digits or not digits.isascii() or not digits.replace("_", "").isalnum():
        return None
    base = 0
    if digits[0] == "0" and digits[1:2] in tuple("01234567_"):
        base = 8  # Go and C read 010 as 8; Python refuses it
    try:
        number = int(digits, base)
    except ValueError:
        return None
    if typed[0] == "-":
        number = -number
    return number if -(1 << 63) <= number < 1 << 63 else None


def split_commas(typed: str) -> list[str] | None:
    """One line of comma separated values; a value with a comma stands in double quotes, a quote in it is doubled.

    Nothing is returned for a line with a stray or unclosed quote. Source: RFC 4180, as Go's encoding/csv reads it.
    """
    if not typed:
        return []
    if '"' not in typed:
        return typed.split(",")
    parts: list[str] = []
    position = 0
    while True:
        if typed[position : position + 1] == '"':
            end, pieces = position + 1, []
            while True:
                close = typed.find('"', end)
                if close < 0:
                    return None
                pieces.append(typed[end:close])
                if typed[close + 1 : close + 2] != '"':
                    break
                pieces.append('"')
                end = close + 2
            parts.append("".join(pieces))
            position = close + 1
            if position < len(typed) and typed[position] != ",":
                return None
        else:
            comma = typed.find(",", position)
            comma = len(typed) if comma < 0 else comma
            part = typed[position:comma]
            if '"' in part:
                return None
            parts.append(part)
            position = comma
        if position == len(typed):
            return parts
        position += 1


def _check_choice(arguments: Arguments, option: Option, name: str, typed: str) -> None:
    if option.choices and typed not in option.choices:
        from pod.base.suggest import did_you_mean

        expected = f"expected is one of {', '.join(option.choices)}"
        raise _invalid(arguments, name, typed, expected + did_you_mean(typed, option.choices))


def _check_count(command: Command, arguments: Arguments) -> None:
    count, low, high = len(arguments.words), command.minimum, command.maximum
    if count >= low and (high is None or count <= high):
        return
    spelling = arguments.spelling
    if high == 0:
        raise _wrong(arguments, f"`{spelling}` takes no arguments, but got '{arguments.words[0]}'")
    got = f"received {count}" if count else "received none"
    if low == high:
        raise _wrong(arguments, f"`{spelling}` accepts {low} {_plural(low)}, {got}")
    if count < low:
        raise _wrong(arguments, f"`{spelling}` requires at least {low} {_plural(low)}, {got}")
    raise _wrong(arguments, f"`{spelling}` accepts at most {high} {_plural(high)}, {got}")


def _plural(count: int | None) -> str:
    return "argument" if count == 1 else "arguments"


def _refuse_unknown(arguments: Arguments, outer: Arguments | None, word: str) -> NoReturn:
    name = word.partition("=")[0]
    if len(name) == 2 or name[2] == "-":
        raise _wrong(arguments, f"bad flag syntax: {word}")
    from pod.base.suggest import did_you_mean

    known = ["--help"]
    for source in (arguments, outer or arguments):
        known += [spelling for spelling in source.spellings() if spelling.startswith("--")]
    raise _wrong(arguments, f"unknown flag: {name}{did_you_mean(name, known)}", UnknownOption)


def _invalid(arguments: Arguments, name: str, typed: str, why: str) -> UsageError:
    return _wrong(arguments, f"invalid argument '{typed}' for '{name}': {why}")


def _wrong(arguments: Arguments, message: str, kind: type[UsageError] = UsageError) -> UsageError:
    return kind(message, hint=f"{arguments.spelling} --help")
