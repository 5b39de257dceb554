"""What a command takes, said as data: `Option`, `Command`, and the `Arguments` that a command is called with.

A declaration is read by three readers: the parser (`parse.py`), the help and the completion (`help.py`,
`completion.py`), and the test that compares the man pages with it. Every command of pod pays for this module, so it
imports nothing but `Record`.
"""

from __future__ import annotations

from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal

    Kind = Literal["flag", "text", "number", "list", "comma", "optional"]
    Value = bool | str | int | tuple[str, ...] | list[str] | None


class Option(Record):
    """One option of a command.

    `flags` are its spellings, the short one first and the long one last: ("-p", "--publish"). A command asks for it by
    the long one without dashes, with underscores: "publish".

    The kinds:
        flag        true or false: `--rm`, `--rm=false`
        text        one value, the last one wins
        number      an integer, in Go's spellings (0x10, 0o17, 1_000)
        list        a text that may be given several times
        comma       the same, and each may hold several separated by commas, with the quotes of CSV
        optional    a text that may be left out: bare, it means `no_value`; a following word is never taken for it
    """

    flags: tuple[str, ...]
    kind: Kind = "flag"
    help: str = ""
    metavar: str = ""
    default: Value = None
    choices: tuple[str, ...] = ()
    no_value: str = ""
    lowest: int | None = None
    """The smallest number allowed."""
    aliases: tuple[str, ...] = ()
    """Other spellings that work and that no help mentions."""
    hidden: bool = False
    refused: str = ""
    """Why an option that exists elsewhere is not supported here; giving it is an error with this sentence."""
    completes: str = ""
    """What the shell completes its value with: "container", "image", "volume", "file", "directory"."""
    empty_is_none: bool = False
    """Whether an empty value is as good as none, as scripts have it: --platform "$PLATFORM"."""

    @property
    def name(self) -> str:
        return self.flags[-1].lstrip("-").replace("-", "_")

    @property
    def takes_value(self) -> bool:
        """Whether the word after the option belongs to it when it has no "=value"."""
        return self.kind not in ("flag", "optional")


class Command(Record):
    """One command: the function that does it, and how it is spelled.

    `run` gets the arguments and the engine (none when `needs_engine` is false), prints through `pod.cli.output`, and
    returns the exit status, where nothing means 0.
    """

    run: Callable[[Arguments, Any], int | None]
    usage: str = "[OPTIONS]"
    description: str = ""
    """Paragraphs separated by blank lines; the first sentence, the summary, is in `table.py`."""
    options: tuple[Option, ...] = ()
    interspersed: bool = True
    """Whether options may follow the first word that is none. In `run` they belong to the container's command."""
    minimum: int = 0
    maximum: int | None = 0
    """How many words the command takes besides its options; no maximum is `None`."""
    completes: tuple[str, ...] = ()
    """What the shell completes each word with, see `Option.completes`; the last one stands for all further words."""
    examples: tuple[str, ...] = ()
    needs_engine: bool = True


class Arguments:
    """What was typed: the words, and a value for each declared option.

    Asking for an option that the command does not declare, or as another kind than it is, is a mistake in the command
    and raises LookupError or TypeError.
    """

    __slots__ = ("_index", "_values", "group", "spelling", "words")

    def __init__(self, spelling: str, index: dict[str, Option]) -> None:
        self.spelling = spelling
        """The command as it was typed, for messages: "pod container run"."""
        self.words: list[str] = []
        self.group: Arguments | None = None
        """The options that stood between a group and its command, of groups that have some."""
        self._index = index
        self._values: dict[str, Value] = {}

    def flag(self, name: str) -> bool:
        return bool(self._value(name, "flag"))

    def text(self, name: str) -> str | None:
        value = self._value(name, "text", "optional")
        return None if value is None else str(value)

    def number(self, name: str) -> int | None:
        value = self._value(name, "number")
        return value if isinstance(value, int) else None

    def texts(self, name: str) -> list[str]:
        value = self._value(name, "list", "comma")
        return list(value) if isinstance(value, list | tuple) else []

    def given(self, name: str) -> bool:
        """Whether the option was typed, with whatever value."""
        return self._option(name).flags[-1] in self._values

    def option_for(self, spelling: str) -> Option | None:
        """The option with the spelling "-p" or "--publish"."""
        return self._index.get(spelling)

    def spellings(self) -> list[str]:
        """Those of the options that work and are no secret."""
        return [
            spelling
            for spelling, option in self._index.items()
            if not option.refused and not option.hidden
        ]

    def widened(self, options: tuple[Option, ...]) -> Arguments:
        """The same, with more options, of which none was typed."""
        wider = Arguments(self.spelling, index_options(options) | self._index)
        wider.words = self.words
        wider.group = self.group
        wider._values = self._values
        return wider

    def set(self, option: Option, value: Value) -> None:
        """Remember a value that was typed; only the parser does."""
        self._values[option.flags[-1]] = value

    def forget(self, option: Option) -> None:
        """As if it had not been typed; only the parser does."""
        self._values.pop(option.flags[-1], None)

    def value(self, option: Option) -> Value:
        """What was typed for `option` so far, or nothing; only the parser asks."""
        return self._values.get(option.flags[-1])

    def _option(self, name: str) -> Option:
        option = self._index.get("--" + name.replace("_", "-"))
        if option is None:
            raise LookupError(f"{self.spelling} declares no option '{name}'")
        return option

    def _value(self, name: str, *kinds: str) -> Value:
        option = self._option(name)
        if option.kind not in kinds:
            raise TypeError(f"{self.spelling}: option '{name}' is of kind {option.kind}")
        return self._values.get(option.flags[-1], option.default)


def index_options(options: tuple[Option, ...]) -> dict[str, Option]:
    """Spelling -> option, aliases included."""
    index: dict[str, Option] = {}
    for option in options:
        for spelling in option.flags:
            index[spelling] = option
        for spelling in option.aliases:
            index[spelling] = option
    return index
