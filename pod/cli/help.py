"""Help texts, laid out by click from the declarations. `pod --help` imports no command."""

from __future__ import annotations

import sys

from pod.base.errors import UsageError
from pod.cli import table
from pod.cli.globals import GLOBAL_OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from click import HelpFormatter

    from pod.cli.declare import Command, Option

_MOST_COLUMNS = 110
_HEADINGS = {
    "container": "Container commands",
    "image": "Image commands",
    "volume": "Volume commands",
    "system": "Other commands",
}


def print_help(words: Sequence[str]) -> None:
    """Print the help of pod, of a group, or of the command that `words` name."""
    sys.stdout.write(help_text(words))


def help_text(words: Sequence[str]) -> str:
    """The help as text, as wide as the terminal. Raises UsageError when `words` name nothing."""
    formatter = _formatter()
    if not words:
        _root(formatter)
    elif len(words) == 1 and words[0] in table.GROUPS:
        _group(formatter, words[0])
    else:
        found = table.find(words)
        if found is None or found[1] != len(words):
            raise UsageError(f"no help for 'pod {' '.join(words)}'", hint="pod --help")
        _command(formatter, " ".join(words), found[0])
    return formatter.getvalue().rstrip("\n") + "\n"


def _formatter() -> HelpFormatter:
    from click import HelpFormatter  # heavy

    return HelpFormatter(max_width=_MOST_COLUMNS)


def _root(out: HelpFormatter) -> None:
    out.write_usage("pod", "[OPTIONS] COMMAND [ARG...]")
    out.write_paragraph()
    out.write_text("Containers for an ordinary user, without a daemon and without root.")
    for group, heading in _HEADINGS.items():
        rows = [
            (name, row[2])
            for name, row in table.COMMANDS.items()
            if row[1] == group and " " not in name
        ]
        if rows:
            _definitions(out, heading, sorted(rows))
    groups = [(group, summary) for group, summary in table.GROUPS.items()]
    _definitions(out, "Groups of commands", groups)
    _options(out, GLOBAL_OPTIONS)
    _epilog(
        out, "`pod COMMAND --help` shows the options of a command, `man pod-COMMAND` all about it."
    )


def _group(out: HelpFormatter, group: str) -> None:
    out.write_usage(f"pod {group}", "COMMAND [ARG...]")
    out.write_paragraph()
    out.write_text(table.GROUPS[group] + ".")
    rows = [(word, table.COMMANDS[name][2]) for word, name in table.members(group).items()]
    _definitions(out, "Commands", rows)
    _epilog(out, f"`pod {group} COMMAND --help` shows the options of a command.")


def _command(out: HelpFormatter, typed: str, name: str) -> None:
    from pod.cli.main import load_command

    module, _, summary, _ = table.COMMANDS[name]
    command: Command = load_command(module)
    out.write_usage(f"pod {typed}", command.usage)
    out.write_paragraph()
    out.write_text(summary + ".")
    if command.description:
        out.write_paragraph()
        out.write_text(command.description)
    others = [other for other in _names(name) if other != typed]
    if others:
        _definitions(out, "Also", [(f"pod {other}", "") for other in others])
    _options(out, command.options)
    if command.examples:
        with out.section("Examples"):
            for example in command.examples:
                out.write(f"{'':>{out.current_indent}}{example}\n")


def _names(name: str) -> list[str]:
    """All names of a command that the help lists."""
    return [name, *(alias for alias, to in table.ALIASES.items() if to == name)]


def _options(out: HelpFormatter, options: Iterable[Option]) -> None:
    rows = [
        (option_term(option), option_help(option))
        for option in options
        if not option.hidden and not option.refused
    ]
    if not any(term.strip().startswith(("-h, ", "--help")) for term, _ in rows):
        rows.append(("    --help", "Show this text"))
    _definitions(out, "Options", sorted(rows, key=lambda row: row[0].partition("--")[2]))


def option_term(option: Option) -> str:
    """How help and man pages spell an option: "-p, --publish PORT", "    --pull[=POLICY]"."""
    short = [flag for flag in option.flags if not flag.startswith("--")]
    long = [flag for flag in option.flags if flag.startswith("--")]
    term = ", ".join([*short, *long])
    if not short:
        term = "    " + term
    if option.kind == "optional":
        return f"{term}[={option.metavar or 'VALUE'}]"
    if option.kind == "flag":
        return term
    return f"{term} {option.metavar or ('N' if option.kind == 'number' else 'VALUE')}"


def option_help(option: Option) -> str:
    """The help line of an option, with its choices and its default."""
    text = option.help
    if option.choices:
        text += f" ({', '.join(option.choices)})"
    default = option.default
    if default not in (None, "", ()) and default is not False:
        if isinstance(default, list | tuple):
            default = ", ".join(default)
        text += f" (default: {str(default).lower() if isinstance(default, bool) else default})"
    return text


def _definitions(out: HelpFormatter, heading: str, rows: list[tuple[str, str]]) -> None:
    with out.section(heading):
        out.write_dl(rows, col_max=32)


def _epilog(out: HelpFormatter, text: str) -> None:
    out.write_paragraph()
    out.write_text(text)
