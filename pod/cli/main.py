"""The root command: words in, exit status out. Imports the one command that was called, and nothing of the others.

`pod/__main__.py` calls `main`; everything that a command returns or raises ends here as an exit status, and as one
or two lines on standard error when it is an error.
"""

from __future__ import annotations

import codecs
import os
import sys

from pod.base import exits, log
from pod.base.errors import UsageError
from pod.cli import table
from pod.cli.globals import GLOBAL_OPTIONS
from pod.cli.parse import HelpRequested, parse_command, parse_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.cli.declare import Arguments, Command, Option
    from pod.engine.context import Engine

    Prefork = Callable[[table.Helper], Callable[[Engine], None]]


ANY_TEXT = "pod-any-text"
"""The name under which `_spell_out` is known to codecs."""


class UnknownCommand(UsageError):
    """There is no command of this name."""


def main(argv: list[str], prefork: Prefork | None = None) -> int:
    """Do what `argv` (without the program's own name) says, and return the exit status.

    `prefork` is called before a command that begins with another process is imported, while the interpreter is still
    small; what it returns hands that process to the engine.
    """
    _reserve_standard_descriptors()
    try:
        status = _dispatch(argv, prefork)
    except BaseException as error:  # noqa: BLE001 — a process ends here
        from pod.cli.report import report

        status = report(error)
    return _finish_output(status)


def _dispatch(argv: list[str], prefork: Prefork | None) -> int:
    if "_POD_COMPLETE" in os.environ:
        from pod.cli.completion import answer

        return answer(os.environ["_POD_COMPLETE"])
    try:
        options = parse_options(GLOBAL_OPTIONS, argv, "pod", interspersed=False)
    except HelpRequested:
        return _help([])
    if options.flag("version"):
        return _print_version()
    _set_log_level(options)
    words, group = take_group_options(options.words, options)
    found = table.find(words)
    if found is None:
        return _no_command(words)
    name, count = found
    module, _, _, helper = table.COMMANDS[name]
    adopt = None
    if helper and prefork is not None:
        adopt = prefork(table.helper_for(helper, words[count:]))
    command = load_command(module)
    try:
        arguments = parse_command(
            command, words[count:], " ".join(["pod", *words[:count]]), options
        )
    except HelpRequested:
        return _help(words[:count])
    arguments.group = group
    _set_log_level(options)  # again, for `pod ps --log-level=debug`
    _redirect_results(options)
    if not command.needs_engine:
        return command.run(arguments, None) or 0
    from pod.cli.engine import open_engine

    engine = open_engine(options)
    if adopt is not None:
        adopt(engine)
    try:
        return command.run(arguments, engine) or 0
    finally:
        engine.tidy()


def take_group_options(words: list[str], outer: Arguments) -> tuple[list[str], Arguments | None]:
    """The words without the options of a group, which stand between its name and the command; and those options."""
    if not words or words[0] not in table.GROUP_OPTIONS:
        return words, None
    if words[1:2] and words[1] in ("--help", "-h"):
        return words, None
    arguments = parse_options(
        group_options(words[0]), words[1:], f"pod {words[0]}", interspersed=False, outer=outer
    )
    return [words[0], *arguments.words], arguments


def group_options(group: str) -> tuple[Option, ...]:
    """The options of a group itself, in `pod/cli/options/MODULE.py`; none for most."""
    if group not in table.GROUP_OPTIONS:
        return ()
    name = f"pod.cli.options.{table.GROUP_OPTIONS[group]}"
    __import__(name)
    options: tuple[Option, ...] = sys.modules[name].OPTIONS
    return options


def load_command(module: str) -> Command:
    """The declaration in `pod/cli/commands/MODULE.py`."""
    name = f"pod.cli.commands.{module}"
    __import__(name)  # importlib.import_module would import importlib
    command: Command = sys.modules[name].COMMAND
    return command


def _set_log_level(options: Arguments) -> None:
    level = "debug" if options.flag("debug") else (options.text("log_level") or "warn").lower()
    if level not in (*log.LEVELS, "warning"):
        raise UsageError(
            f"invalid argument '{level}' for '--log-level': expected is one of {', '.join(log.LEVELS)}",
            hint="pod --help",
        )
    log.set_level(level)


def _redirect_results(options: Arguments) -> None:
    """`--noout` and `--out` are about what pod prints; what a container writes to our descriptors is not touched."""
    path = os.devnull if options.flag("noout") else options.text("out")
    if path is not None:
        sys.stdout = open(path, "w", encoding="utf-8", errors=ANY_TEXT)  # noqa: SIM115


def _help(words: list[str]) -> int:
    from pod.cli.help import print_help

    print_help(words)
    return 0


def _print_version() -> int:
    from pod.base.version import VERSION

    print("pod version", VERSION)
    return 0


def _no_command(words: list[str]) -> int:
    """Help for nothing, for a group, or for `--help` behind a group; else an error that says what was meant."""
    from pod.base.suggest import closest
    from pod.cli.absent import ABSENT

    if not words:
        from pod.cli.help import print_help

        print_help([])
        raise UnknownCommand("missing command: `pod COMMAND`")
    group = table.group_of(words)
    count = len(group.split())
    if group:
        if len(words) <= count:
            raise UnknownCommand(
                f"missing command: `pod {group} COMMAND`", hint=f"pod {group} --help"
            )
        if words[count] in ("--help", "-h"):
            return _help(words[:count])
        if words[count].startswith("-"):
            raise UnknownCommand(
                f"unknown flag: {words[count]}, `pod {group}` takes a command first",
                hint=f"pod {group} --help",
            )
    typed = " ".join(words[: count + 1])
    if typed in ABSENT:
        raise UnknownCommand(f"unknown command 'pod {typed}': {ABSENT[typed]}")
    if group:
        known = [*table.summaries(group)]
        meant = [f"{group} {word}" for word in closest(words[count], known)]
    else:
        known = [name for name in (*table.COMMANDS, *table.GROUPS) if " " not in name]
        meant = closest(typed, known)
    suggestion = f", did you mean {_either(meant)}?" if meant else ""
    raise UnknownCommand(
        f"unknown command 'pod {typed}'{suggestion}",
        hint=f"pod {group} --help" if group else "pod --help",
    )


def _either(names: list[str]) -> str:
    return " or ".join(f"'pod {name}'" for name in names)


def _finish_output(status: int) -> int:
    """Write out what was printed; a command whose result was lost has failed, whatever it returned."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        from pod.cli.report import complain

        if isinstance(error, BrokenPipeError):
            status = status or exits.PIPE_CLOSED
        else:
            reason = getattr(error, "strerror", None) or str(error)
            complain(f"cannot write to standard output: {reason.lower()}")
            status = status or exits.FAILED
        # What could not be written must not be tried again, and complained about, when the interpreter ends.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    return status


def _reserve_standard_descriptors() -> None:
    """Make sure that descriptors 0 to 2 are open, so that no file we open can take such a number and be written to by
    mistake. A closed output becomes one that refuses writing, so that `pod ps >&-` fails as `ls >&-` does.

    Names that are not UTF-8 are printed as the bytes they are.
    """
    codecs.register_error(ANY_TEXT, _spell_out)
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)  # takes the lowest free number, which is `fd`
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", errors=ANY_TEXT, closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors=ANY_TEXT, closefd=False)  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors=ANY_TEXT)


def _spell_out(error: UnicodeError) -> tuple[str | bytes, int]:
    """What UTF-8 cannot say: bytes of names become those bytes again; other halves of pairs, which somebody's JSON may
    have, are spelled as JSON spells them."""
    if not isinstance(error, UnicodeEncodeError):  # whoever reads from the same stream
        return codecs.lookup_error("surrogateescape")(error)
    out = b""
    for letter in error.object[error.start : error.end]:
        number = ord(letter)
        is_byte = 0xDC80 <= number <= 0xDCFF
        out += bytes((number - 0xDC00,)) if is_byte else f"\\u{number:04x}".encode()
    return out, error.end
